"""The answer of a model: expand, budget, prompt, stream, verify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from rag.answers.budget import Budget, fit, fit_history
from rag.answers.events import AnswerEvent
from rag.answers.expand import Excerpt, expand
from rag.answers.lookup import Lookup
from rag.answers.ports import PassageSearch
from rag.answers.prompt import build_messages, fill, fixed_text
from rag.answers.quotes import Source
from rag.answers.request import Request
from rag.answers.spoilers import spoiler_check
from rag.answers.verify import Verifier
from rag.answers.wording import RefusalGate, is_refusal, not_found, where
from rag.answers.writer import Writer, WrittenEvent
from rag.ports import ChatMessage, ChatModel

MAX_REPLY_CHARACTERS = 100_000
"""Where a reply is cut off: no answer is as long, but a model may repeat itself for ever."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is sent to a model, and what will check its reply."""

    messages: list[ChatMessage]
    answer_tokens: int
    verifier: Verifier
    writer: Writer


async def answer_by_model(
    request: Request, model: ChatModel, retriever: PassageSearch
) -> AsyncGenerator[AnswerEvent, None]:
    """Have a model answer, and check what it says while it says it.

    Whatever reads the library runs on a thread, so that an event loop is never kept waiting.

    Raises:
        EndpointError: the model did not answer as it should; what came before stands.
    """
    prepared = await asyncio.to_thread(_prepare, request, model, retriever)
    verifier, writer = prepared.verifier, prepared.writer
    written: list[WrittenEvent] = []
    gate = RefusalGate()
    reply = ""
    with request.trace.stage("stream") as seen:
        seen["model"] = model.name
        stream = model.stream(prepared.messages, max_tokens=prepared.answer_tokens)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                reply += delta.text
                if passed := gate.feed(delta.text):
                    events = await asyncio.to_thread(verifier.feed, passed)
                    written += events
                    for event in events:
                        yield event
                seen["finish_reason"] = delta.finish_reason
                if len(reply) > MAX_REPLY_CHARACTERS:
                    seen["finish_reason"] = "length"
                    break
        seen["reply_characters"] = len(reply)
    with request.trace.stage("verify") as seen:
        events = await asyncio.to_thread(verifier.feed, gate.finish())
        events += await asyncio.to_thread(verifier.finish)
        quotes_found = verifier.verdicts.quotes_whole > 0
        refused = is_refusal(request.prompts, reply) and not quotes_found
        answered = bool(writer.citations) and not refused
        events += _closing_words(request, writer, refused=gate.refused or not reply.strip())
        written += events
        seen |= verifier.verdicts.as_json()
    for event in events:
        yield event
    yield request.finished(written, writer, answered=answered, model_name=model.name)


def _prepare(request: Request, model: ChatModel, retriever: PassageSearch) -> _Prepared:
    shelf = request.shelf
    with request.trace.stage("expand") as seen:
        excerpts = expand(request.passages, shelf)
        seen["excerpts"] = len(excerpts)
        seen["characters"] = sum(len(excerpt.text) for excerpt in excerpts)
    with request.trace.stage("budget") as seen:
        history = fit_history(request.history, model.context_tokens)
        fixed = fixed_text(request.prompts, request.question, history)
        budget = fit(excerpts, model.context_tokens, fixed)
        seen |= _budget_json(budget)
        seen["turns"] = len(history)
    with request.trace.stage("prompt") as seen:
        messages = build_messages(
            request.prompts, request.question, budget.excerpts, shelf, history
        )
        seen["language"] = request.language
        seen["version"] = request.prompts.version
        seen["messages"] = len(messages)
    writer = Writer(shelf.chapter_at)
    verifier = Verifier(
        request.question,
        request.language,
        [
            Source.of(e.book_id, e.span.start, shelf.language(e.book_id), e.text)
            for e in budget.excerpts
        ],
        Lookup(retriever, shelf),
        writer,
        spoiler_check(shelf, request.question),
    )
    return _Prepared(messages, budget.answer_tokens, verifier, writer)


def _closing_words(request: Request, writer: Writer, *, refused: bool) -> list[WrittenEvent]:
    """Say what the reader must know of an answer without a citation."""
    if refused:
        writer.word(not_found(request.prompts, request.shelf, request.question, request.language))
    elif not writer.citations:
        writer.space("\n\n")
        named = where(request.prompts, request.shelf)
        writer.word(fill(request.prompts.unsupported, where=named))
    return writer.take()


def _budget_json(budget: Budget) -> dict[str, object]:
    return {
        "context_tokens": budget.context_tokens,
        "answer_tokens": budget.answer_tokens,
        "excerpt_tokens": budget.excerpt_tokens,
        "sent": [_excerpt_json(excerpt) for excerpt in budget.excerpts],
        "left_out": [_excerpt_json(excerpt) for excerpt in budget.left_out],
    }


def _excerpt_json(excerpt: Excerpt) -> dict[str, object]:
    return {
        "book_id": excerpt.book_id,
        "start": excerpt.span.start,
        "end": excerpt.span.end,
        "rank": excerpt.rank,
    }
