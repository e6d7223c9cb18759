"""From a question to an answer: retrieve, expand, budget, prompt, stream, verify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from core.scope import Scope
from core.search_text import query_terms
from rag.answers.budget import fit
from rag.answers.events import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    PassagesFound,
    TextAdded,
    Turn,
)
from rag.answers.expand import Excerpt, expand
from rag.answers.extract import extract
from rag.answers.language import question_language
from rag.answers.lookup import Lookup
from rag.answers.ports import BookLibrary, PassageSearch
from rag.answers.prompt import (
    LANGUAGES,
    PromptFile,
    build_messages,
    fill,
    fixed_text,
    prompt_file,
)
from rag.answers.quotes import Source
from rag.answers.shelf import Shelf
from rag.answers.spoilers import spoiler_check
from rag.answers.trace import TraceRecorder
from rag.answers.verify import Verifier
from rag.answers.wording import RefusalGate, is_refusal, not_found, place, where
from rag.answers.writer import Writer, WrittenEvent
from rag.passages import Passage
from rag.ports import ChatMessage, ChatModel, Embedder

PASSAGES = 12
"""How many passages retrieval is asked for; what a small model cannot take is left out later."""
MAX_REPLY_CHARACTERS = 100_000
"""Where a reply is cut off: no answer is as long, but a model may repeat itself for ever."""
FEW_TERMS = 3
"""A follow-up with fewer content words is searched together with the question before it."""
TURNS_SENT = 3
"""How many earlier turns a prompt holds at most."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One question on its way."""

    question: str
    language: str
    prompts: PromptFile
    shelf: Shelf
    passages: tuple[Passage, ...]
    history: tuple[Turn, ...]
    trace: TraceRecorder


class Answerer:
    """Answers questions from the books of a library."""

    def __init__(
        self,
        library: BookLibrary,
        retriever: PassageSearch,
        embedder: Embedder | None = None,
    ) -> None:
        """Make an answerer; `embedder` improves the choice of sentences without a model."""
        self._library = library
        self._retriever = retriever
        self._embedder = embedder

    async def answer(
        self,
        question: str,
        scope: Scope,
        model: ChatModel | None,
        history: Sequence[Turn] = (),
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer a question; closing the iterator stops the model.

        The events are one PassagesFound, then text and citations, and one AnswerFinished at the
        end. With `model` None, the best passages' sentences are the answer.

        Raises:
            NotFoundError: the scope names a book that is not there.
            EndpointError: the model did not answer as it should; what came before stands.
        """
        request = await asyncio.to_thread(self._retrieve, question, scope, tuple(history))
        yield PassagesFound(request.passages)
        if model is None or not request.passages:
            for told in await asyncio.to_thread(self._extract, request, model):
                yield told
            return
        async with aclosing(self._ask(request, model)) as answered:
            async for event in answered:
                yield event

    def _retrieve(self, question: str, scope: Scope, history: tuple[Turn, ...]) -> _Request:
        trace = TraceRecorder()
        shelf = Shelf(self._library.books, scope)
        with trace.stage("retrieve") as seen:
            language = question_language(question, _main_language(shelf))
            query = _standalone(question, language, history)
            passages = tuple(self._retriever.search(query, scope, k=PASSAGES))
            seen["query"] = query
            seen["language"] = language
            seen["books"] = len(shelf.books)
            seen["passages"] = [_passage_json(passage) for passage in passages]
        return _Request(
            question, language, prompt_file(language), shelf, passages, history[-TURNS_SENT:], trace
        )

    def _extract(self, request: _Request, model: ChatModel | None) -> list[AnswerEvent]:
        """Answer by sentences of the passages."""
        shelf, prompts = request.shelf, request.prompts
        writer = Writer(shelf.chapter_at)
        with request.trace.stage("extract") as seen:
            sources = [
                Source.of(p.book_id, p.span.start, shelf.language(p.book_id), p.text)
                for p in request.passages
            ]
            found = extract(request.question, request.passages, sources, self._embedder)
            for number, sentence in enumerate(found.sentences):
                if number:
                    writer.space("\n\n")
                writer.quote(sentence)
                writer.space(" ")
                named = place(prompts, shelf, sentence.book_id, sentence.span.start)
                writer.word(f"({named})")
            if not found.sentences:
                terms = query_terms(request.question, "und")
                writer.word(not_found(prompts, shelf, terms))
            seen["coverage"] = round(found.coverage, 4)
            seen["cosine"] = None if found.cosine is None else round(found.cosine, 4)
            seen["sentences"] = len(found.sentences)
        events = writer.take()
        answered = bool(found.sentences)
        finished = _finished(request, events, writer, answered=answered, model=model)
        return [*events, finished]

    async def _ask(self, request: _Request, model: ChatModel) -> AsyncGenerator[AnswerEvent, None]:
        """Have the model answer, and check what it says while it says it."""
        messages, verifier, writer, answer_tokens = await asyncio.to_thread(
            self._prepare, request, model
        )
        written: list[WrittenEvent] = []
        gate = RefusalGate()
        reply = ""
        with request.trace.stage("stream") as seen:
            stream = model.stream(messages, max_tokens=answer_tokens)
            finish_reason = None
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    finish_reason = delta.finish_reason or finish_reason
                    reply += delta.text
                    passed = gate.feed(delta.text)
                    if passed:
                        events = await asyncio.to_thread(verifier.feed, passed)
                        written += events
                        for event in events:
                            yield event
                    if len(reply) > MAX_REPLY_CHARACTERS:
                        finish_reason = "length"
                        break
            seen["model"] = model.name
            seen["finish_reason"] = finish_reason
            seen["reply_characters"] = len(reply)
        with request.trace.stage("verify") as seen:
            rest = gate.finish()
            events = await asyncio.to_thread(verifier.feed, rest)
            events += await asyncio.to_thread(verifier.finish)
            answered = bool(writer.citations) and not is_refusal(request.prompts, reply)
            events += _closing_words(request, writer, refused=gate.refused or not reply.strip())
            written += events
            seen |= verifier.verdicts.as_json()
            seen["answered"] = answered
        for event in events:
            yield event
        yield _finished(request, written, writer, answered=answered, model=model)

    def _prepare(
        self, request: _Request, model: ChatModel
    ) -> tuple[list[ChatMessage], Verifier, Writer, int]:
        shelf = request.shelf
        with request.trace.stage("expand") as seen:
            excerpts = expand(request.passages, shelf)
            seen["excerpts"] = len(excerpts)
            seen["characters"] = sum(len(excerpt.text) for excerpt in excerpts)
        with request.trace.stage("budget") as seen:
            fixed = fixed_text(request.prompts, request.question, request.history)
            budget = fit(excerpts, model.context_tokens, fixed)
            seen["context_tokens"] = budget.context_tokens
            seen["answer_tokens"] = budget.answer_tokens
            seen["excerpt_tokens"] = budget.excerpt_tokens
            seen["sent"] = [_excerpt_json(excerpt) for excerpt in budget.excerpts]
            seen["left_out"] = [_excerpt_json(excerpt) for excerpt in budget.left_out]
        with request.trace.stage("prompt") as seen:
            messages = build_messages(
                request.prompts, request.question, budget.excerpts, shelf, request.history
            )
            seen["language"] = request.language
            seen["version"] = request.prompts.version
            seen["messages"] = len(messages)
        writer = Writer(shelf.chapter_at)
        sources = [
            Source.of(e.book_id, e.span.start, shelf.language(e.book_id), e.text)
            for e in budget.excerpts
        ]
        verifier = Verifier(
            request.question,
            request.language,
            sources,
            Lookup(self._retriever, shelf),
            writer,
            spoiler_check(shelf, request.question),
        )
        return messages, verifier, writer, budget.answer_tokens


def _closing_words(request: _Request, writer: Writer, *, refused: bool) -> list[WrittenEvent]:
    """Say what the reader must know of an answer without a citation."""
    if refused:
        terms = query_terms(request.question, "und")
        writer.word(not_found(request.prompts, request.shelf, terms))
    elif not writer.citations:
        named = where(request.prompts, request.shelf)
        writer.space("\n\n")
        writer.word(fill(request.prompts.unsupported, where=named))
    return writer.take()


def _finished(
    request: _Request,
    written: Sequence[WrittenEvent],
    writer: Writer,
    *,
    answered: bool,
    model: ChatModel | None,
) -> AnswerFinished:
    return AnswerFinished(
        Answer(
            text="".join(event.text for event in written if isinstance(event, TextAdded)),
            citations=tuple(writer.citations),
            answered=answered,
            model=None if model is None else model.name,
            passages=request.passages,
            trace=request.trace.trace(),
        )
    )


def _main_language(shelf: Shelf) -> str:
    """Return the language that most of the books in scope are in."""
    languages = [book.metadata.language for book in shelf.books.values()]
    return max(languages, key=languages.count, default=LANGUAGES[0])


def _standalone(question: str, language: str, history: Sequence[Turn]) -> str:
    """Return what to search for: a follow-up of few words goes with the question before it."""
    if history and len(query_terms(question, language)) < FEW_TERMS:
        return f"{history[-1].question} {question}"
    return question


def _passage_json(passage: Passage) -> dict[str, object]:
    return {
        "book_id": passage.book_id,
        "start": passage.span.start,
        "end": passage.span.end,
        "score": round(passage.score, 4),
    }


def _excerpt_json(excerpt: Excerpt) -> dict[str, object]:
    return {
        "book_id": excerpt.book_id,
        "start": excerpt.span.start,
        "end": excerpt.span.end,
        "rank": excerpt.rank,
    }
