"""Brings what has happened in the library onto the window's loop, as Qt signals.

Events come from any thread and in any number; the window hears of them in rounds, at most one each
`ROUND_S`, with the ids of what changed. Views then ask the store again.
"""

from __future__ import annotations

import asyncio
import threading

from PySide6.QtCore import QObject, Signal

from core import events
from core.books import BookId
from core.jobs import JobId

ROUND_S = 0.1


class EventBridge(QObject):
    """Signals for what happened since the last round.

    Signals:
        booksChanged: `frozenset` of ids of books added, changed or removed.
        jobsChanged: jobs entered a new state.
        jobProgressed: the last `JobProgressed` of each job, one signal each.
        jobFailed: one `JobFailed`.
        ingestIdle: no job is left.
        endpointsChanged: an endpoint was added, edited or removed.
    """

    booksChanged = Signal(object)
    jobsChanged = Signal()
    jobProgressed = Signal(object)
    jobFailed = Signal(object)
    ingestIdle = Signal()
    endpointsChanged = Signal()

    def __init__(self, bus: events.EventBus, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[events.Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe = bus.subscribe(self._receive)

    def close(self) -> None:
        """Hear no more."""
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()

    def _receive(self, event: events.Event) -> None:
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
        books: set[BookId] = set()
        progress: dict[JobId, events.JobProgressed] = {}
        jobs_changed = endpoints_changed = idle = False
        for event in waiting:
            match event:
                case events.JobProgressed():
                    progress[event.job_id] = event
                    books.add(event.book_id)
                case events.JobChanged() | events.JobFailed():
                    jobs_changed = True
                    if event.book_id is not None:
                        books.add(event.book_id)
                case events.IngestIdle():
                    idle = True
                case events.EndpointsChanged() | events.SettingsChanged():
                    endpoints_changed = True
                case (
                    events.BookAdded()
                    | events.BookTextStored()
                    | events.BookEmbedded()
                    | events.BookChanged()
                    | events.BookRemoved()
                ):
                    books.add(event.book_id)
                case _:
                    pass
        if books:
            self.booksChanged.emit(frozenset(books))
        if jobs_changed:
            self.jobsChanged.emit()
        for moved in progress.values():
            self.jobProgressed.emit(moved)
        for event in waiting:
            if isinstance(event, events.JobFailed):
                self.jobFailed.emit(event)
        if endpoints_changed:
            self.endpointsChanged.emit()
        if idle:
            self.ingestIdle.emit()
