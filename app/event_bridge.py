"""Brings what has happened in the library onto the window's loop, as Qt signals.

Events come from any thread and in any number; the window hears of them in rounds, at most one each
`ROUND_S`, with the ids of what changed. Views then ask the store again.
"""

from __future__ import annotations

import asyncio
import threading

from PySide6.QtCore import QObject, Signal

from core.books import BookId
from core.events import (
    BookAdded,
    BookChanged,
    BookEmbedded,
    BookRemoved,
    BookTextStored,
    EndpointsChanged,
    Event,
    EventBus,
    IngestIdle,
    IngestStalled,
    JobChanged,
    JobFailed,
    JobProgressed,
    LocalModelChanged,
    LocalModelsChanged,
    SettingsChanged,
)

ROUND_S = 0.1
BOOK_EVENTS = (
    BookAdded,
    BookChanged,
    BookEmbedded,
    BookRemoved,
    BookTextStored,
    JobChanged,
    JobFailed,
)
JOB_EVENTS = (JobChanged, JobFailed)
ANSWERER_EVENTS = (EndpointsChanged, LocalModelsChanged, SettingsChanged)


class EventBridge(QObject):
    """Signals for what happened since the last round.

    Signals:
        booksChanged: `frozenset` of ids of books added, changed or removed.
        jobsChanged: jobs entered a new state.
        jobProgressed: the last `JobProgressed` of each job, one signal each.
        jobFailed: one `JobFailed`.
        ingestIdle: no job is left.
        ingestStalled: why no job can go on for now, in words for the reader.
        endpointsChanged: what can answer is another: endpoints, local models, or the choice.
        modelChanged: one `LocalModelChanged`.
    """

    booksChanged = Signal(object)
    jobsChanged = Signal()
    jobProgressed = Signal(object)
    jobFailed = Signal(object)
    ingestIdle = Signal()
    ingestStalled = Signal(str)
    endpointsChanged = Signal()
    modelChanged = Signal(object)

    def __init__(self, bus: EventBus, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe = bus.subscribe(self._receive)

    def close(self) -> None:
        """Hear no more."""
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()

    def _receive(self, event: Event) -> None:
        """Keep an event for the next round; called on the publisher's thread."""
        with self._lock:
            self._waiting.append(event)
            first = len(self._waiting) == 1
        if first:
            self._loop.call_soon_threadsafe(self._plan_round)

    def _plan_round(self) -> None:
        self._timer = self._loop.call_later(ROUND_S, self._tell)

    def _tell(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if books := frozenset(filter(None, map(_book_of, waiting))):
            self.booksChanged.emit(books)
        if any(isinstance(event, JOB_EVENTS) for event in waiting):
            self.jobsChanged.emit()
        latest = {event.job_id: event for event in waiting if isinstance(event, JobProgressed)}
        for progressed in latest.values():
            self.jobProgressed.emit(progressed)
        for event in waiting:
            if isinstance(event, JobFailed):
                self.jobFailed.emit(event)
        for event in waiting:
            if isinstance(event, IngestStalled):
                self.ingestStalled.emit(event.message)
            elif isinstance(event, LocalModelChanged):
                self.modelChanged.emit(event)
        if any(isinstance(event, ANSWERER_EVENTS) for event in waiting):
            self.endpointsChanged.emit()
        if any(isinstance(event, IngestIdle) for event in waiting):
            self.ingestIdle.emit()


def _book_of(event: Event) -> BookId | None:
    """Return the book that looks different after an event; progress is told by its own signal."""
    if isinstance(event, BOOK_EVENTS):
        return event.book_id
    return None
