"""How `postil add` follows its jobs and tells of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.cli.terminal import print_json, printable, say, write_utf8
from app.composition import Postil
from core.errors import PostilError
from core.events import BookTextStored, Event, IngestStalled, JobChanged, JobProgressed
from core.jobs import IngestJob, JobId, JobState
from rag.parsing.formats import find_books


class Teller(Protocol):
    """Tells the reader, or a program, how the jobs go."""

    def __call__(self, event: Event) -> None:
        """Take an event; may be called from any thread."""

    def close(self) -> None:
        """Stop telling."""


class JsonTeller:
    """A JSON line for each event."""

    def __call__(self, event: Event) -> None:
        """Print what programs can follow."""
        if isinstance(event, JobProgressed):
            print_json(
                {
                    "event": "progress",
                    "job": event.job_id,
                    "id": event.book_id,
                    "done_characters": event.done_characters,
                    "total_characters": event.total_characters,
                    "characters_per_s": round(event.characters_per_s),
                    "eta_s": event.eta_s,
                }
            )
        elif isinstance(event, JobChanged):
            print_json({"event": event.state.value, "job": event.job_id, "id": event.book_id})
        elif isinstance(event, BookTextStored):
            print_json({"event": "searchable", "id": event.book_id})
        elif isinstance(event, IngestStalled):
            print_json({"event": "stalled", "message": event.message})

    def close(self) -> None:
        """Nothing is open."""


class BarTeller:
    """One progress bar, for a terminal."""

    def __init__(self, title_of: Callable[[int], str]) -> None:
        self._title_of = title_of
        self._bars: dict[JobId, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._progress.start()

    def __call__(self, event: Event) -> None:
        """Move the bar of the event's job."""
        if isinstance(event, IngestStalled):
            self._progress.console.print(printable(event.message), markup=False)
        if not isinstance(event, JobProgressed):
            return
        if event.job_id not in self._bars:
            title = printable(self._title_of(event.book_id))[:40]
            self._bars[event.job_id] = self._progress.add_task(title, total=None)
        self._progress.update(
            self._bars[event.job_id],
            completed=event.done_characters,
            total=event.total_characters or None,
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()


class LineTeller:
    """Plain lines, where no terminal is."""

    def __init__(self, title_of: Callable[[int], str]) -> None:
        self._title_of = title_of

    def __call__(self, event: Event) -> None:
        """Say when a book can be searched by words; its end is told with the result."""
        if isinstance(event, BookTextStored):
            title = printable(self._title_of(event.book_id))
            say(f"“{title}” can be searched by words; reading it for meaning …")
        elif isinstance(event, IngestStalled):
            say(event.message)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def following(postil: Postil, *, as_json: bool) -> Iterator[None]:
    """Tell how jobs go for as long as the block runs."""
    teller = _teller(postil, as_json=as_json)
    unsubscribe = postil.events.subscribe(teller)
    try:
        yield
    finally:
        unsubscribe()
        teller.close()


async def add_books(
    postil: Postil, paths: list[Path], *, recursive: bool, as_json: bool
) -> list[dict[str, Any]]:
    """Ingest files and folders; return an entry for each file, in the order of the arguments."""
    began = time.monotonic()
    with following(postil, as_json=as_json):
        try:
            await postil.ingest.start()
            entries = [
                entry
                for path in paths
                for entry in await _add_path(postil, path, recursive=recursive)
            ]
            queued = [entry for entry in entries if isinstance(entry, JobId)]
            jobs = await postil.ingest.wait(queued, also_paused=True)
        finally:
            await postil.ingest.close()
    by_id = {job.id: job for job in jobs}
    books = [
        _entry(postil, by_id[entry], began) if isinstance(entry, JobId) else entry
        for entry in entries
    ]
    _report(books, as_json=as_json)
    return books


async def _add_path(postil: Postil, path: Path, *, recursive: bool) -> list[JobId | dict[str, Any]]:
    """Queue what a path stands for; a path that cannot be read becomes a failed entry at once."""
    try:
        files = list(find_books([path], recursive=recursive))
        if not files:
            return [_failed(path, f"There are no books in “{path}”.")]
        return list(await postil.ingest.add(files))
    except PostilError as error:
        return [_failed(path, str(error))]


def _teller(postil: Postil, *, as_json: bool) -> Teller:
    def title_of(book_id: int) -> str:
        return postil.library.books.get(book_id).title

    if as_json:
        return JsonTeller()
    return BarTeller(title_of) if sys.stderr.isatty() else LineTeller(title_of)


def _failed(path: Path, reason: str) -> dict[str, Any]:
    return {
        "id": None,
        "title": path.name,
        "author": "",
        "language": None,
        "format": None,
        "blocks": 0,
        "chunks": 0,
        "characters": 0,
        "seconds": 0.0,
        "status": "failed",
        "error": reason,
    }


def _entry(postil: Postil, job: IngestJob, began: float) -> dict[str, Any]:
    if job.state is not JobState.DONE or job.book_id is None:
        paused = "It is paused in another window of Postil; let it go on there."
        reason = paused if job.paused else job.error or f"The job was {job.state}."
        return _failed(Path(job.source_path), reason)
    book = postil.library.books.get(job.book_id)
    took = job.finished_at - (job.started_at or job.created_at) if job.finished_at else None
    return {
        "id": book.id,
        "title": book.title,
        "author": book.author,
        "language": book.metadata.language,
        "format": book.format,
        "blocks": book.block_count,
        "chunks": book.chunk_count,
        "characters": book.character_count,
        "seconds": round(took.total_seconds() if took else time.monotonic() - began, 3),
        "status": book.status.value,
        "error": job.error,  # a book can be done and yet lack its meaning: no embedding model
    }


def _report(books: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"event": "done", "books": books})
        return
    for book in books:
        title = printable(str(book["title"]))
        if book["status"] == "failed":
            say(f"“{title}” was not added: {book['error']}")
        else:
            write_utf8(f"{book['id']:>4}  {title}  ({book['status']}, {book['seconds']:.1f} s)\n")
            if book["error"]:
                say(f"“{title}”: {book['error']}")
