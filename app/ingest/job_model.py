"""The ingest jobs of this run as a Qt model, and what they come to together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from app.wording import percentage, plain_tip
from core.books import BookId
from core.events import JobProgressed
from core.jobs import IngestJob, JobId, JobState

AnyIndex = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_COLUMNS = ("Book", "State", "Progress")
_STATE_WORDS = {
    JobState.QUEUED: "Waiting",
    JobState.PARSING: "Reading the text",
    JobState.CHUNKING: "Cutting into passages",
    JobState.EMBEDDING: "Reading for meaning",
    JobState.DONE: "Done",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}
_WITHOUT_SHARE = (JobState.QUEUED, JobState.FAILED, JobState.CANCELLED)
# Text first: a job that is being embedded has this share behind it.
_TEXT_SHARE = 0.05
_MIN_SHARE_FOR_ETA = 0.03


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """All jobs together.

    Attributes:
        current: title of the book that is being read in, "" when none is.
        position: its number among the books of this batch, from 1.
        total: books of this batch.
        failed: those that could not be read in.
        fraction: share done of all, 0 to 1.
        characters_per_s: speed lately, 0.0 until known.
        eta_s: seconds left, None until known.
        paused: every job left is paused.
        active: jobs that are not over.
    """

    current: str
    position: int
    total: int
    failed: int
    fraction: float
    characters_per_s: float
    eta_s: float | None
    paused: bool
    active: int


class JobTableModel(QAbstractTableModel):
    """The jobs that are open, and those that ended since the last time all was quiet.

    Signals:
        summaryChanged: an `IngestSummary`.
    """

    summaryChanged = Signal(object)

    def __init__(self, title_of: Callable[[BookId], str | None], parent: QObject) -> None:
        super().__init__(parent)
        self._title_of = title_of
        self._jobs: list[IngestJob] = []
        self._progress: dict[JobId, JobProgressed] = {}
        self._began = 0.0
        self._seen_before: set[JobId] | None = None

    def rowCount(self, parent: AnyIndex = _NOWHERE) -> int:
        """Count the jobs."""
        return 0 if parent.isValid() else len(self._jobs)

    def columnCount(self, parent: AnyIndex = _NOWHERE) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Name the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return _COLUMNS[section]
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return what a role asks of a job."""
        job = self._jobs[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return job
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(job.error or job.source_path)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        match index.column():
            case 0:
                return self._title(job)
            case 1:
                return job.error or self._state_words(job)
            case _:
                return "" if job.state in _WITHOUT_SHARE else percentage(self._fraction(job))

    def set_jobs(self, jobs: Iterable[IngestJob]) -> None:
        """Take in all jobs as they are now; those that were over before this run are left out."""
        jobs = list(jobs)
        if self._seen_before is None:
            self._seen_before = {job.id for job in jobs if job.state.is_final}
        shown = [job for job in jobs if job.id not in self._seen_before]
        if self.summary.active == 0 and any(not job.state.is_final for job in shown):
            over = {job.id for job in self._jobs}
            self._seen_before |= over
            shown = [job for job in shown if job.id not in over or not job.state.is_final]
            self._began = time.monotonic()
        self._show(shown)
        self.summaryChanged.emit(self.summary)

    def set_progress(self, event: JobProgressed) -> None:
        """Take in how far a job has come."""
        self._progress[event.job_id] = event
        for row, job in enumerate(self._jobs):
            if job.id == event.job_id:
                self.dataChanged.emit(self.index(row, 2), self.index(row, 2))
        self.summaryChanged.emit(self.summary)

    def clear_over(self) -> None:
        """Leave out what is over."""
        self._seen_before = (self._seen_before or set()) | {
            job.id for job in self._jobs if job.state.is_final
        }
        self._show([job for job in self._jobs if not job.state.is_final])
        self.summaryChanged.emit(self.summary)

    def job(self, row: int) -> IngestJob:
        """Return the job in a row."""
        return self._jobs[row]

    def jobs(self) -> list[IngestJob]:
        """Return all jobs shown."""
        return list(self._jobs)

    def open_jobs(self) -> list[IngestJob]:
        """Return the jobs that are not over."""
        return [job for job in self._jobs if not job.state.is_final]

    @property
    def summary(self) -> IngestSummary:
        """All jobs together, now."""
        active = self.open_jobs()
        working = [job for job in active if job.state is not JobState.QUEUED and not job.paused]
        current = next(iter(working or active), None)
        latest = None if current is None else self._progress.get(current.id)
        total = len(self._jobs)
        fraction = sum(map(self._fraction, self._jobs)) / total if total else 0.0
        return IngestSummary(
            current="" if current is None else self._title(current),
            position=min(total - len(active) + 1, total),
            total=total,
            failed=sum(job.state is JobState.FAILED for job in self._jobs),
            fraction=fraction,
            characters_per_s=0.0 if latest is None else latest.characters_per_s,
            eta_s=self._eta_s(fraction, len(active), latest),
            paused=bool(active) and all(job.paused for job in active),
            active=len(active),
        )

    def _eta_s(self, fraction: float, active: int, latest: JobProgressed | None) -> float | None:
        """Return the seconds left: the job's own where it is the last, else by the share done."""
        if active == 1 and latest is not None:
            return latest.eta_s
        if active == 0 or fraction < _MIN_SHARE_FOR_ETA:
            return None
        return (time.monotonic() - self._began) * (1 - fraction) / fraction

    def _fraction(self, job: IngestJob) -> float:
        if job.state.is_final:
            return 1.0
        event = self._progress.get(job.id)
        done, total = job.done_characters, job.total_characters
        if event is not None and event.done_characters >= done:
            done, total = event.done_characters, event.total_characters
        if job.state is not JobState.EMBEDDING or total == 0:
            return 0.0
        return _TEXT_SHARE + (1 - _TEXT_SHARE) * done / total

    def _state_words(self, job: IngestJob) -> str:
        if is_paused(job):
            return "Paused"
        if job.state is JobState.EMBEDDING and job.id not in self._progress:
            return "Ready to read, waiting to be read for meaning"
        return _STATE_WORDS[job.state]

    def _title(self, job: IngestJob) -> str:
        title = None if job.book_id is None else self._title_of(job.book_id)
        return title or PurePath(job.source_path).name or "A book"

    def _show(self, jobs: list[IngestJob]) -> None:
        if [job.id for job in jobs] != [job.id for job in self._jobs]:
            self.beginResetModel()
            self._jobs = jobs
            self.endResetModel()
            return
        for row, job in enumerate(jobs):
            if job != self._jobs[row]:
                self._jobs[row] = job
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(_COLUMNS) - 1))


def is_paused(job: IngestJob) -> bool:
    """Say whether a job is held by the reader."""
    return job.paused and not job.state.is_final
