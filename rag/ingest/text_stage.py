"""From the library's copy of a file to stored text that word search finds."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from core.books import Book
from core.errors import BadBookError, StorageError
from core.home import Home
from core.ports import BookStore
from core.text import Cover
from rag.ingest.intake import write_whole
from rag.ingest.messages import BookParsed, TextBegan, TextEnded, TextPart
from rag.ingest.serial_thread import SerialThread
from rag.ingest.worker_process import WorkerProcess

_COVER_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}

log = logging.getLogger(__name__)


class TextStage:
    """Has the worker read a book, and stores its text part by part, a transaction for each."""

    def __init__(
        self, books: BookStore, home: Home, database: SerialThread, worker: WorkerProcess
    ) -> None:
        self._books = books
        self._home = home
        self._database = database
        self._worker = worker

    async def run(
        self,
        book: Book,
        on_reply: Callable[[], Awaitable[object]],
        on_parsed: Callable[[], Awaitable[object]],
    ) -> int:
        """Read a book and store its text; text that it had is replaced.

        Args:
            book: whose copy lies in the library's folder.
            on_reply: awaited before anything is stored; what it raises ends the stage.
            on_parsed: awaited when the file is parsed and chunking begins.

        Returns:
            How many characters there are to embed.

        Raises:
            BadBookError: the file cannot become a book.
            StorageError: the library refuses.
            NotFoundError: the book was removed meanwhile.
            WorkerDiedError: the worker process ended.
        """
        path = self._home.source_of(book)
        file_bytes = await self._database.run(_size_of_copy, path)
        character_count = 0
        async with aclosing(self._worker.read_book(path, book.source_name, file_bytes)) as replies:
            async for reply in replies:
                await on_reply()
                match reply:
                    case BookParsed():
                        await on_parsed()
                    case TextBegan():
                        await self._database.run(self._begin, book, reply)
                        character_count = reply.summary.chunk_character_count
                    case TextPart():
                        await self._database.run(self._append, book, reply)
                    case TextEnded():
                        await self._database.run(self._books.finish_text, book.id)
        return character_count

    def _begin(self, book: Book, began: TextBegan) -> None:
        summary = began.summary
        if began.cover is not None:
            summary = replace(summary, cover_name=self._keep_cover(book, began.cover))
        self._books.begin_text(book.id, summary)

    def _keep_cover(self, book: Book, cover: Cover) -> str | None:
        """Save the cover, and return its name; None for a kind of picture that nothing shows.

        A book is read in also where its cover cannot be written: it then has the one that is there
        from an earlier time, or none.
        """
        suffix = _COVER_SUFFIXES.get(cover.media_type)
        if suffix is None:
            return None
        name = book.content_hash + suffix
        path = self._home.covers_dir / name
        try:
            write_whole(path, cover.data)
        except StorageError as error:
            log.warning("the cover of book %d was not kept: %s", book.id, error)
            return name if path.exists() else None
        return name

    def _append(self, book: Book, part: TextPart) -> None:
        if part.blocks:
            self._books.append_blocks(book.id, part.blocks)
        if part.parents:
            self._books.append_parents(book.id, part.parents)
        if part.chunks:
            self._books.append_chunks(book.id, part.chunks)


def _size_of_copy(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise BadBookError("The library's copy of this book is gone. Add the file again.") from None
