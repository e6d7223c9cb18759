"""What every command begins with: the reader's home, and the parts of Postil opened on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.composition import Postil, open_postil
from core.home import Home
from core.logs import start_logging
from core.scope import BookScope, Scope

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Where Postil keeps everything it writes."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
BooksOption = Annotated[
    list[int] | None, typer.Option("--book", metavar="ID", help="Only this book; may be repeated.")
]
UpToOption = Annotated[
    int | None,
    typer.Option("--up-to", metavar="OFFSET", min=0, help="Only what ends at or before it."),
]


def open_home(context: typer.Context, home: Path | None) -> Home:
    """Return the home named by the command, else before it, else by POSTIL_HOME or the system."""
    found = Home.locate(home or context.find_root().obj)
    found.prepare()
    start_logging(found)
    return found


@contextmanager
def opened(context: typer.Context, home: Path | None) -> Iterator[Postil]:
    """Open Postil for the length of a command."""
    postil = open_postil(open_home(context, home))
    try:
        yield postil
    finally:
        postil.close()


def scope_of(postil: Postil, book_ids: list[int] | None, up_to: int | None) -> Scope:
    """Make the scope that `--book` and `--up-to` stand for.

    Raises:
        typer.BadParameter: `--up-to` without exactly one `--book`.
        NotFoundError: a book is not in the library.
    """
    if up_to is not None and len(book_ids or ()) != 1:
        raise typer.BadParameter("it needs exactly one --book", param_hint="--up-to")
    if not book_ids:
        return Scope.library()
    books = [postil.library.books.get(book_id) for book_id in dict.fromkeys(book_ids)]
    return Scope(tuple(BookScope(book.id, up_to) for book in books))
