"""`eval`: measure retrieval and answers on questions whose evidence is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.session import HomeOption, JsonOption, opened
from app.cli.terminal import NOTHING_FOUND, print_json, say
from app.composition import Postil
from core.books import Book
from core.jobs import JobState
from core.text import Matter
from rag.evaluation.questions import (
    Question,
    QuestionRow,
    find_file,
    make_questions,
    place_evidence,
    read_rows,
)
from rag.evaluation.report import evaluate


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command("eval")(evaluate_questions)


def evaluate_questions(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Questions, one JSON object a line.")
    ] = None,
    book: Annotated[
        int | None, typer.Option("--book", metavar="ID", help="Make the questions from this book.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="The endpoint whose model answers.")
    ] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Measure search, quotes, refusals and the spoiler boundary on questions with known evidence.

    Books that a file names are looked for beside it and in the folders above, and added.
    """
    if (file is None) == (book is None):
        raise typer.BadParameter("name either a FILE of questions or a --book")
    with opened(context, home) as postil:
        document = asyncio.run(_measure(postil, file, book, endpoint))
    if document is None:
        say("there is no question whose evidence stands in a book.")
        raise typer.Exit(NOTHING_FOUND)
    if json_:
        print_json(document)
    else:
        _print_tables(document)


async def _measure(
    postil: Postil, file: Path | None, book: int | None, endpoint: str | None
) -> dict[str, Any] | None:
    model = None if endpoint is None else postil.chat_model(endpoint)
    try:
        if book is not None:
            questions = _questions_from(postil, book)
        else:
            assert file is not None, "one of the two is given"
            questions = await _questions_in(postil, file)
        if not questions:
            return None
        return await evaluate(
            postil.library, postil.retriever, postil.answerer, questions, model, say
        )
    finally:
        await postil.close_models()


def _questions_from(postil: Postil, book_id: int) -> list[Question]:
    """Make questions from a book's own text: no front matter, no notes."""
    book = postil.library.books.get(book_id)
    texts = [
        (placed.span, placed.block.text)
        for placed in postil.library.books.blocks(book_id)
        if placed.block.matter is Matter.BODY
    ]
    return make_questions(book_id, texts, book.metadata.language)


async def _questions_in(postil: Postil, file: Path) -> list[Question]:
    rows = read_rows(file)
    books = await _add_books(postil, file, rows)
    texts = {book.id: postil.library.books.text(book.id) for book in books.values()}
    questions = []
    missing = 0
    for row in rows:
        book = books.get(row.corpus_file)
        question = None if book is None else place_evidence(row, book.id, texts[book.id])
        if question is None:
            missing += 1
        else:
            questions.append(question)
    if missing:
        say(f"left out {missing} of {len(rows)} questions: their book or evidence was not found.")
    return questions


async def _add_books(postil: Postil, file: Path, rows: list[QuestionRow]) -> dict[str, Book]:
    """Add the books that the questions are about, and return them by the name the file has."""
    names = list(dict.fromkeys(row.corpus_file for row in rows))
    paths = {name: path for name in names if (path := find_file(file, name)) is not None}
    say(f"adding {len(paths)} books ...")
    await postil.ingest.start()
    try:
        jobs = await postil.ingest.wait(await postil.ingest.add(list(paths.values())))
    finally:
        await postil.ingest.close()
    return {
        name: postil.library.books.get(job.book_id)
        for name, job in zip(paths, jobs, strict=True)
        if job.state is JobState.DONE and job.book_id is not None
    }


def _print_tables(document: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"{document['questions']} questions on {document['books']} books")
    console.print(_retrieval_table(document["retrieval"]))
    console.print(_answer_table(document))
    console.print(_latency_table(document["latency_ms"]))


def _retrieval_table(retrieval: dict[str, dict[str, float]]) -> Table:
    table = Table(title="Retrieval")
    names = ("hit_at_1", "hit_at_5", "hit_at_10", "mrr", "in_4k")
    for heading in ("inside", *names):
        table.add_column(heading)
    for scope, figures in retrieval.items():
        table.add_row(scope, *(f"{figures[name]:.3f}" for name in names))
    return table


def _answer_table(document: dict[str, Any]) -> Table:
    table = Table(title="Answers", show_header=False)
    answers, refusal, leaks = document["answers"], document["refusal"], document["leaks"]
    rows = [
        ("questions answered", f"{answers['answered']:.3f}"),
        ("evidence in the first quote", f"{answers['first_quote_in_evidence']:.3f}"),
        ("evidence in any quote", f"{answers['any_quote_in_evidence']:.3f}"),
        ("quotes exact", f"{answers['exact_quotes']} of {answers['quotes']}"),
        ("leaks past the boundary", f"{leaks['leaked']} of {leaks['asked']}"),
    ]
    if refusal is not None:
        rows += [
            ("false refusals", f"{refusal['false_refusals']:.3f}"),
            ("wrong answers", f"{refusal['wrong_answers']:.3f}"),
            ("equal error, BM25 alone", f"{refusal['bm25_equal_error']['wrong_answers']:.3f}"),
        ]
        if "equal_error" in refusal:
            rows.append(("equal error", f"{refusal['equal_error']['wrong_answers']:.3f}"))
    for name, value in rows:
        table.add_row(name, value)
    return table


def _latency_table(latency: dict[str, dict[str, float]]) -> Table:
    table = Table(title="Milliseconds")
    for heading in ("stage", "p50", "p95"):
        table.add_column(heading)
    for stage, times in latency.items():
        table.add_row(stage, f"{times['p50']:.1f}", f"{times['p95']:.1f}")
    return table
