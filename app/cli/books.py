"""`add`, `books`, `text` and `remove`: what is in the library."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.adding import add_books
from app.cli.session import HomeOption, JsonOption, opened
from app.cli.terminal import FAILED, print_json, printable, say, write_utf8
from core.books import Book
from core.errors import StorageError
from core.text import Span

BookArgument = Annotated[int, typer.Argument(metavar="BOOK", help="The book's number.")]


def register(application: typer.Typer) -> None:
    """Add the commands."""
    application.command()(add)
    application.command("books")(list_books)
    application.command()(text)
    application.command()(remove)


def add(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files or folders.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into folders inside folders too.")
    ] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Add books to the library; a book that is there already is not added twice."""
    with opened(context, home) as postil:
        entries = asyncio.run(add_books(postil, paths, recursive=recursive, as_json=json_))
    if any(entry["status"] == "failed" for entry in entries):
        raise typer.Exit(FAILED)


def list_books(context: typer.Context, home: HomeOption = None, json_: JsonOption = False) -> None:
    """List the books of the library."""
    with opened(context, home) as postil:
        found = postil.library.books.all()
    if json_:
        print_json([_as_json(book) for book in found])
        return
    if not found:
        say("The library is empty. Add a book with `postil add FILE`.")
    for book in found:
        author = f" by {printable(book.author)}" if book.author else ""
        write_utf8(f"{book.id:>4}  {printable(book.title)}{author}  ({book.status})\n")


def _as_json(book: Book) -> dict[str, Any]:
    return {
        "id": book.id,
        "title": book.title,
        "author": book.author,
        "language": book.metadata.language,
        "format": book.format,
        "characters": book.character_count,
        "chunks": book.chunk_count,
        "added_at": book.added_at.isoformat(),
        "status": book.status.value,
    }


def text(
    context: typer.Context,
    book: BookArgument,
    start: Annotated[int, typer.Option(min=0, help="First offset, in code points.")] = 0,
    end: Annotated[int | None, typer.Option(min=0, help="Offset just past the last.")] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Print a book's canonical text, or a slice of it, and nothing more."""
    if end is not None and end < start:
        raise typer.BadParameter("it lies before --start", param_hint="--end")
    with opened(context, home) as postil:
        found = postil.library.books.get(book)
        if not found.status.has_text:
            raise StorageError(f"“{printable(found.title)}” has not been read in ({found.status}).")
        length = found.character_count
        span = Span(min(start, length), length if end is None else min(end, length))
        content = postil.library.books.text(book, span) if len(span) else ""
    if json_:
        print_json({"book_id": book, "start": span.start, "end": span.end, "text": content})
    else:
        write_utf8(content)


def remove(
    context: typer.Context, book: BookArgument, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Remove a book, its copy in the library and all that was made of it."""
    with opened(context, home) as postil:
        removed = postil.remove_book(book)
    if json_:
        print_json({"id": removed.id, "title": removed.title})
    else:
        say(f"Removed “{printable(removed.title)}”.")
