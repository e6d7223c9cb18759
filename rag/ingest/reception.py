"""Takes the file of a job into the library, and out again when the job is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.books import Book, BookStatus
from core.errors import CancelledByReaderError, NotFoundError, PostilError
from core.events import BookAdded, BookChanged, BookRemoved, Event, EventBus
from core.file_names import readable
from core.home import Home
from core.jobs import IngestJob, JobId, JobState
from core.persistence.library import Library
from rag.ingest.intake import Copy, Intake
from rag.ingest.job_desk import JobDesk, JobOverError
from rag.ingest.serial_thread import SerialThread


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a job's file.

    Attributes:
        job_id: the job to wait for: another's, where that is at the same content already.
        job: the job with its book, where there is work to do; else None.
    """

    job_id: JobId
    job: IngestJob | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A copy that has its book."""

    book: Book
    is_new: bool
    earlier_job_id: JobId | None


class Reception:
    """Gives every file a copy in the library's folder and a book; the same content has one book."""

    def __init__(
        self,
        library: Library,
        home: Home,
        events: EventBus,
        desk: JobDesk,
        intake: Intake,
        files: SerialThread,
        database: SerialThread,
    ) -> None:
        self._library = library
        self._home = home
        self._events = events
        self._desk = desk
        self._intake = intake
        self._files = files
        self._database = database

    async def receive(self, job: IngestJob) -> Received:
        """Copy the file of a held job and tie the job to its book.

        A file that cannot be taken fails the job. Content that is there already ends it, unless
        its book failed before: then it is tried again.

        Args:
            job: held, without a book.
        """
        try:
            copy = await self._files.run(self._intake.take, Path(job.source_path))
            placed = await self._database.run(self._place, job, copy)
            if placed.is_new:
                self._events.publish(BookAdded(placed.book.id))
            if placed.earlier_job_id is not None:
                await self._desk.enter(job.id, JobState.DONE)
                return Received(placed.earlier_job_id, None)
            if placed.book.status is BookStatus.READY:
                await self._desk.enter(job.id, JobState.DONE)
                return Received(job.id, None)
            return Received(job.id, await self._desk.enter(job.id, JobState.QUEUED))
        except JobOverError as over:
            await self.dismiss(over.job)
        except CancelledByReaderError:
            pass  # closing: the job stays queued for the next start
        except PostilError as error:
            await self._desk.fail(job.id, error)
        return Received(job.id, None)

    async def receive_again(self, job: IngestJob) -> Received:
        """Make a new job for the book of one that is over; its copy is in the library already."""
        assert job.book_id is not None
        for other in await self._database.run(self._library.jobs.all, active_only=True):
            if other.book_id == job.book_id:
                return Received(other.id, None)
        new = await self._desk.create(job.source_path, job.book_id)
        return Received(new.id, new)

    def _place(self, job: IngestJob, copy: Copy) -> _Placed:
        books, jobs = self._library.books, self._library.jobs
        path = Path(readable(job.source_path))
        format_ = path.suffix.removeprefix(".").lower()
        book, is_new = books.add(copy.content_hash, path.name, path.stem, format_)
        jobs.set_book(job.id, book.id)
        # Of two jobs that come to the same content at once, the one made first does the work, but
        # for one that was left without its book by a crash, and comes late.
        earlier = [
            other.id
            for other in jobs.all(active_only=True)
            if other.book_id == book.id
            and (other.id < job.id or other.state is not JobState.QUEUED)
        ]
        if not earlier and not book.status.has_text:
            books.set_status(book.id, BookStatus.QUEUED)
        return _Placed(book, is_new, earlier[0] if earlier else None)

    async def dismiss(self, job: IngestJob) -> None:
        """Clear away after a cancelled job: a book that it brought goes, with its copy.

        A book that was in the library before the job, or that is being read already, stays.
        """
        if job.state is JobState.CANCELLED and job.book_id is not None:
            event = await self._database.run(self._clear_away, job)
            if event is not None:
                self._events.publish(event)

    def _clear_away(self, job: IngestJob) -> Event | None:
        try:
            return self._leave(job)
        except NotFoundError:
            return None  # somebody removed the book just now, with all that belonged to it

    def _leave(self, job: IngestJob) -> Event:
        books = self._library.books
        assert job.book_id is not None
        book = books.get(job.book_id)
        if self._was_brought_by(job, book):
            books.remove(book.id)
            self._home.remove_files_of(book)
            return BookRemoved(book.id)
        if not book.status.has_text:
            books.set_status(book.id, BookStatus.CANCELLED)
        return BookChanged(book.id)

    def _was_brought_by(self, job: IngestJob, book: Book) -> bool:
        if book.status is BookStatus.READY or book.reading_offset > 0:
            return False
        return all(
            other.id == job.id for other in self._library.jobs.all() if other.book_id == book.id
        )
