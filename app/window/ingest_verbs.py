"""What the reader can do with books on their way in: pause, go on, cancel, try again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.background import Background
from app.event_bridge import EventBridge
from app.ingest.job_model import JobTableModel
from app.library.book_model import BookListModel, can_read
from core.events import JobFailed, JobProgressed
from core.jobs import IngestJob

if TYPE_CHECKING:
    from app.composition import Postil


class IngestVerbs(QObject):
    """Keeps the jobs shown true, and carries out what is asked of them.

    Signals:
        told: a sentence for the reader.
    """

    told = Signal(str)

    def __init__(
        self,
        postil: Postil,
        background: Background,
        bridge: EventBridge,
        jobs: JobTableModel,
        books: BookListModel,
    ) -> None:
        super().__init__(jobs)
        self._postil = postil
        self._background = background
        self._jobs = jobs
        self._books = books
        bridge.jobsChanged.connect(self.refresh)
        bridge.jobProgressed.connect(self._progressed)
        bridge.jobFailed.connect(self._failed)
        bridge.ingestIdle.connect(self.refresh)
        bridge.ingestStalled.connect(self.told)

    async def start(self) -> None:
        """Take up what was left, once the window is there."""
        await self.refresh_now()
        ingest = await self._background.read(lambda: self._postil.ingest)
        await ingest.start()

    def refresh(self) -> None:
        """Show the jobs as they are now."""
        self._background.spawn(self.refresh_now(), replacing="jobs")

    async def refresh_now(self) -> None:
        """Show the jobs as they are now."""
        jobs = await self._background.read(self._postil.library.jobs.all)
        self._jobs.set_jobs(jobs)
        for job in jobs:
            if job.state.is_final and job.book_id is not None:
                self._books.set_progress(job.book_id, None)

    def hold_or_go_on(self, jobs: Sequence[IngestJob]) -> None:
        """Pause these, or let them go on where all are paused."""
        held = all(job.paused for job in jobs)
        self._background.spawn(self._hold(jobs, hold=not held))

    def cancel(self, jobs: Sequence[IngestJob]) -> None:
        """End these; what was read so far stays."""
        self._background.spawn(self._cancel(jobs))

    def retry(self, jobs: Sequence[IngestJob]) -> None:
        """Try these again."""
        self._background.spawn(self._retry(jobs))

    async def _hold(self, jobs: Sequence[IngestJob], *, hold: bool) -> None:
        for job in jobs:
            if hold:
                await self._postil.ingest.pause(job.id)
            else:
                await self._postil.ingest.resume(job.id)
        await self.refresh_now()

    async def _cancel(self, jobs: Sequence[IngestJob]) -> None:
        for job in jobs:
            await self._postil.ingest.cancel(job.id)
        await self.refresh_now()

    async def _retry(self, jobs: Sequence[IngestJob]) -> None:
        for job in jobs:
            await self._postil.ingest.retry(job.id)
        await self.refresh_now()

    def _progressed(self, event: JobProgressed) -> None:
        self._jobs.set_progress(event)
        if event.total_characters:
            self._books.set_progress(event.book_id, event.done_characters / event.total_characters)

    def _failed(self, event: JobFailed) -> None:
        book = None if event.book_id is None else self._books.book(event.book_id)
        if book is not None and can_read(book):
            # Its text is there: only what comes after failed, and the message says what.
            self.told.emit(f"“{book.title}”: {event.message}")
            return
        name = "A book" if book is None else f"“{book.title}”"
        self.told.emit(f"{name} could not be read in. {event.message}")
