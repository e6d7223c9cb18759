"""What the reader can do with books: add, remove, look at, try again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.background import Background
from app.guide import guide_path
from app.library.book_model import BookListModel, can_read
from app.library.details_dialog import DetailsDialog
from app.library.removal import Removals
from core.books import Book, BookId
from core.errors import NotFoundError
from core.jobs import IngestJob, JobId

if TYPE_CHECKING:
    from app.composition import Postil

_POLL_S = 0.1
_BOOK_FILES = "Books (*.epub *.txt);;All files (*)"


class LibraryVerbs(QObject):
    """Carries out what the library's actions ask, and keeps the list of books true.

    Attributes:
        removals: the books that are removed, as long as that can be taken back.

    Signals:
        bookReadable: id of a book whose text has just come.
        bookWanted: id of a book to open.
        bookGone: id of a book that was removed.
        told: a sentence for the reader.
    """

    bookReadable = Signal(int)
    bookWanted = Signal(int)
    bookGone = Signal(int)
    told = Signal(str)

    def __init__(
        self, postil: Postil, background: Background, model: BookListModel, window: QWidget
    ) -> None:
        super().__init__(window)
        self._postil = postil
        self._background = background
        self._model = model
        self._window = window
        self.removals = Removals(postil, background, model, self)

    async def refresh_all(self) -> None:
        """Show the books as they are now."""
        self._model.set_books(await self._background.read(self._postil.library.books.all))

    def refresh(self, book_ids: Iterable[BookId]) -> None:
        """Show some books as they are now."""
        self._background.spawn(self._refresh(frozenset(book_ids)))

    async def _refresh(self, book_ids: frozenset[BookId]) -> None:
        changes = await self._background.read(self._read_books, book_ids)
        before = {book_id: self._model.book(book_id) for book_id in changes}
        self._model.update_books(changes)
        for book_id, book in changes.items():
            old = before[book_id]
            if self._model.is_hidden(book_id):
                continue
            if book is None:
                self.bookGone.emit(book_id)
            elif can_read(book) and (old is None or not can_read(old)):
                self.bookReadable.emit(book_id)

    def _read_books(self, book_ids: frozenset[BookId]) -> dict[BookId, Book | None]:
        books: dict[BookId, Book | None] = {}
        for book_id in book_ids:
            try:
                books[book_id] = self._postil.library.books.get(book_id)
            except NotFoundError:
                books[book_id] = None
        return books

    def choose_files(self) -> None:
        """Let the reader choose files to add."""
        dialog = QFileDialog(self._window, "Add books", "", _BOOK_FILES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self._open_file_dialog(dialog)

    def choose_folder(self) -> None:
        """Let the reader choose a folder to add all books of."""
        dialog = QFileDialog(self._window, "Add a folder of books")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._open_file_dialog(dialog)

    def _open_file_dialog(self, dialog: QFileDialog) -> None:
        dialog.filesSelected.connect(lambda names: self.add([Path(name) for name in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def add(self, paths: Sequence[Path]) -> None:
        """Add files, and the books in folders."""
        self._background.spawn(self._add(paths))

    async def _add(self, paths: Sequence[Path]) -> list[JobId]:
        from rag.parsing.formats import find_books

        files = await self._background.read(lambda: list(find_books(paths, recursive=True)))
        if not files:
            self.told.emit("There are no EPUB or text files there.")
            return []
        # Made on a thread where this is its first use: it brings heavy libraries with it.
        ingest = await self._background.read(lambda: self._postil.ingest)
        job_ids = await ingest.add(files)
        await self._bring_back(job_ids)
        return job_ids

    async def _bring_back(self, job_ids: Sequence[JobId]) -> None:
        """A book that was removed a moment ago and is added again is simply back."""
        for job_id in job_ids:
            job = await self._background.read(self._postil.library.jobs.get, job_id)
            if job.book_id is not None:
                await self.removals.restore([job.book_id])

    def open_guide(self) -> None:
        """Open the user guide, adding it first where it is not in the library."""
        self._background.spawn(self._open_guide(), replacing="guide")

    async def _open_guide(self) -> None:
        path = await self._background.read(guide_path, self._postil.home)
        for job_id in await self._add([path]):
            book_id = await self._readable_book(job_id)
            if book_id is not None:
                self.bookWanted.emit(book_id)

    async def _readable_book(self, job_id: JobId) -> BookId | None:
        """Wait until a job's book can be read; None where the job ends without."""
        while True:
            job = await self._background.read(self._postil.library.jobs.get, job_id)
            if job.book_id is not None:
                await self._refresh(frozenset((job.book_id,)))
                book = self._model.book(job.book_id)
                if book is not None and can_read(book):
                    return book.id
            if job.state.is_final:
                return None
            await asyncio.sleep(_POLL_S)

    def show_details(self, book: Book) -> None:
        """Show what is known of a book."""
        DetailsDialog(book, self._window).open()

    def show_source(self, book: Book) -> None:
        """Show a book's file in the system's file manager."""
        self._background.spawn(self._show_source(book))

    async def _show_source(self, book: Book) -> None:
        jobs = await self._background.read(self._jobs_of, book.id)
        given = [Path(job.source_path).parent for job in jobs if job.source_path]
        folder = next((path for path in given if path.is_dir()), self._postil.home.books_dir)
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.told.emit(f"The file is in {folder}.")

    def retry(self, books: Sequence[Book]) -> None:
        """Read books in again that failed or were cancelled."""
        self._background.spawn(self._retry(books))

    async def _retry(self, books: Sequence[Book]) -> None:
        for book in books:
            jobs = await self._background.read(self._jobs_of, book.id)
            if jobs:
                await self._postil.ingest.retry(jobs[-1].id)

    def _jobs_of(self, book_id: BookId) -> list[IngestJob]:
        return [job for job in self._postil.library.jobs.all() if job.book_id == book_id]
