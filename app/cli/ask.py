"""`search` and `ask`: what the books say."""

from __future__ import annotations

import asyncio
import textwrap
from contextlib import aclosing
from typing import Annotated, Any

import typer

from app.cli.session import (
    BooksOption,
    HomeOption,
    JsonOption,
    UpToOption,
    opened,
    scope_of,
)
from app.cli.terminal import NOTHING_FOUND, print_json, printable, say, write_utf8
from app.composition import Postil
from core.books import Book, BookId
from core.scope import Scope
from core.text import Span
from rag.answers.events import Answer, AnswerFinished, TextAdded
from rag.answers.trace import trace_json
from rag.passages import Passage, SearchMode
from rag.ports import ChatModel

NEAREST_SHOWN = 3
SHOWN_CHARACTERS = 200


def register(application: typer.Typer) -> None:
    """Add the commands."""
    application.command()(search)
    application.command()(ask)


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, or a question.")],
    count: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    book: BooksOption = None,
    up_to: UpToOption = None,
    mode: Annotated[SearchMode, typer.Option(help="Which indexes to ask.")] = SearchMode.HYBRID,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Find passages by words, by meaning, or by both."""
    query = _words_of(query, "QUERY")
    with opened(context, home) as postil:
        passages = postil.retriever.search(query, scope_of(postil, book, up_to), k=count, mode=mode)
        books = _books(postil, {passage.book_id for passage in passages})
    if json_:
        print_json([_passage_json(passage) for passage in passages])
    else:
        for passage in passages:
            where = _place(passage.book_id, passage.chapter, passage.span, books)
            write_utf8(f"{where}\n  {printable(passage.text)}\n\n")
    if not passages:
        raise typer.Exit(NOTHING_FOUND)


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    book: BooksOption = None,
    up_to: UpToOption = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="The endpoint whose model answers.")
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Let the passages speak for themselves.")
    ] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask a question; the answer quotes the books word for word."""
    question = _words_of(question, "QUESTION")
    if no_model and endpoint:
        raise typer.BadParameter("it cannot go with --no-model", param_hint="--endpoint")
    with opened(context, home) as postil:
        scope = scope_of(postil, book, up_to)
        model = None if no_model else postil.chat_model(endpoint)
        answer = asyncio.run(_answer(postil, question, scope, model, as_json=json_))
        shown = {passage.book_id for passage in answer.passages}
        books = _books(postil, shown | {citation.book_id for citation in answer.citations})
    if json_:
        print_json(_answer_json(answer))
    else:
        _print_answer(answer, books)
    if not answer.answered:
        raise typer.Exit(NOTHING_FOUND)


async def _answer(
    postil: Postil, question: str, scope: Scope, model: ChatModel | None, *, as_json: bool
) -> Answer:
    finished: Answer | None = None
    try:
        async with aclosing(postil.answerer.answer(question, scope, model)) as events:
            async for event in events:
                if isinstance(event, TextAdded) and model is not None and not as_json:
                    write_utf8(printable(event.text))
                elif isinstance(event, AnswerFinished):
                    finished = event.answer
    finally:
        await postil.close_models()
    assert finished is not None, "every answer ends in one AnswerFinished or an error"
    return finished


def _print_answer(answer: Answer, books: dict[BookId, Book]) -> None:
    """Print the quotes below what a model said, or was counted; else they are the answer."""
    if answer.model is not None or not answer.answered or not answer.passages:
        write_utf8("\n" if answer.model is not None else f"{printable(answer.text)}\n")
    for citation in answer.citations:
        where = _place(citation.book_id, citation.chapter, citation.span, books)
        write_utf8(f"\n[{citation.number}] {where}\n    “{printable(citation.quote)}”\n")
    if not answer.answered and answer.passages:
        say("the nearest passages:")
        for passage in answer.passages[:NEAREST_SHOWN]:
            where = _place(passage.book_id, passage.chapter, passage.span, books)
            shown = textwrap.shorten(printable(passage.text), SHOWN_CHARACTERS, placeholder=" …")
            say(f"  {where}: {shown}")


def _words_of(text: str, parameter: str) -> str:
    """Return what was asked, without bytes that are no text."""
    if not text.strip():
        raise typer.BadParameter("it is empty", param_hint=parameter)
    return text.encode(errors="replace").decode()


def _books(postil: Postil, book_ids: set[BookId]) -> dict[BookId, Book]:
    return {id_: postil.library.books.get(id_) for id_ in book_ids}


def _place(book_id: BookId, chapter: str, span: Span, books: dict[BookId, Book]) -> str:
    """Say where a span is: title, chapter and percentage of the book."""
    book = books[book_id]
    percent = 100 * span.start // max(book.character_count, 1)
    return printable(", ".join(part for part in (book.title, chapter, f"{percent} %") if part))


def _passage_json(passage: Passage) -> dict[str, Any]:
    return {
        "book_id": passage.book_id,
        "title": passage.book_title,
        "chapter": passage.chapter,
        "start": passage.span.start,
        "end": passage.span.end,
        "text": passage.text,
        "score": round(passage.score, 6),
    }


def _answer_json(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "citations": [
            {
                "book_id": citation.book_id,
                "chapter": citation.chapter,
                "start": citation.span.start,
                "end": citation.span.end,
                "quote": citation.quote,
            }
            for citation in answer.citations
        ],
        "answered": answer.answered,
        "model": answer.model,
        "trace": trace_json(answer.trace),
    }
