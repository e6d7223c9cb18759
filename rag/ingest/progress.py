"""How fast a job goes, and when it will be done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_MEMORY_S = 8.0


class Speedometer:
    """The speed lately: an exponentially weighted mean over about the last eight seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._characters = 0.0
        self._seconds = 0.0

    def pause(self) -> None:
        """Leave out the time until the next advance: something else was under way."""
        self._last = None

    def advance(self, characters: int) -> None:
        """Note that so many characters were done since the last call.

        The first of all, and the first after a pause, only start the clock.
        """
        now = self._clock()
        last, self._last = self._last, now
        if last is None:
            return
        elapsed_s = now - last
        keep = math.exp(-elapsed_s / _MEMORY_S)
        self._characters = self._characters * keep + characters
        self._seconds = self._seconds * keep + elapsed_s

    @property
    def characters_per_s(self) -> float:
        """The speed, 0.0 until known."""
        return self._characters / self._seconds if self._seconds > 0 else 0.0

    def eta_s(self, characters_left: int) -> float | None:
        """Return the seconds that so many characters will take, None until known."""
        speed = self.characters_per_s
        return characters_left / speed if speed > 0 else None
