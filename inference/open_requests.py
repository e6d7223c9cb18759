"""Which requests are under way, as all threads see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from inference.active_request import ActiveRequest
from inference.errors import EngineStoppedError, InvalidParameterError, QueueFullError

_FIRST_GUESS_S = 1.0
_LEAST_RETRY_S, _MOST_RETRY_S = 1.0, 60.0


class OpenRequests:
    """The requests from their submission to their last piece, and how many may wait.

    Args:
        max_waiting: requests that may wait for their first step.
        max_batch: requests that are computed at once.
    """

    def __init__(self, max_waiting: int, max_batch: int) -> None:
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._lock = threading.Lock()
        self._open: dict[str, ActiveRequest] = {}
        self._waiting = 0
        self._mean_total_s = _FIRST_GUESS_S
        self._closed = False

    def add(self, active: ActiveRequest, hand_over: Callable[[], None]) -> None:
        """Take a request in.

        Args:
            active: the request.
            hand_over: called if it was taken in, before the engine can be closed or another
                thread can cancel it.

        Raises:
            EngineStoppedError: the engine is closed.
            InvalidParameterError: a request of that id is under way.
            QueueFullError: too many wait.
        """
        request_id = active.request.request_id
        with self._lock:
            if self._closed:
                raise EngineStoppedError("The engine is closed.")
            if request_id in self._open:
                raise InvalidParameterError(
                    "request_id", f"A request with the id {request_id!r} is under way."
                )
            if self._waiting >= self._max_waiting:
                rounds = self._waiting / self._max_batch
                retry_after_s = min(max(rounds * self._mean_total_s, _LEAST_RETRY_S), _MOST_RETRY_S)
                raise QueueFullError(
                    f"{self._waiting} requests are waiting already.", retry_after_s
                )
            self._open[request_id] = active
            self._waiting += 1
            hand_over()

    def get(self, request_id: str) -> ActiveRequest | None:
        """Return a request if it is under way."""
        with self._lock:
            return self._open.get(request_id)

    def holds(self, active: ActiveRequest) -> bool:
        """Say whether a request is still under way."""
        with self._lock:
            return self._open.get(active.request.request_id) is active

    def note_start(self, active: ActiveRequest) -> None:
        """Note that a request's first step begins."""
        with self._lock:
            active.note_admission()
            self._waiting -= 1

    def remove(self, active: ActiveRequest, total_s: float) -> None:
        """Forget a request that is over.

        Args:
            active: one that was taken in.
            total_s: how long it took, which says how long others will wait.
        """
        with self._lock:
            del self._open[active.request.request_id]
            if not active.was_admitted:
                self._waiting -= 1
            self._mean_total_s += 0.1 * (total_s - self._mean_total_s)

    def close(self) -> list[ActiveRequest]:
        """Take no more requests, and return those under way."""
        with self._lock:
            self._closed = True
            return list(self._open.values())

    def counts(self) -> tuple[int, int]:
        """Return how many requests have begun, and how many wait."""
        with self._lock:
            return len(self._open) - self._waiting, self._waiting
