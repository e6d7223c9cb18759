"""Steps through the places of a phrase in the open book."""

from __future__ import annotations

from collections.abc import Sequence

from app.reading.finding import MAX_PLACES
from core.text import Span


class PlacesFound:
    """What a search of the book found, and which of it is on view."""

    def __init__(self, places: Sequence[Span] = ()) -> None:
        self._places = list(places)
        self._current: int | None = None

    def __bool__(self) -> bool:
        return bool(self._places)

    def within(self, span: Span) -> list[Span]:
        """Return the places in a span."""
        return [place for place in self._places if place.overlaps(span)]

    def step(self, step: int, offset: int) -> Span:
        """Return the place `step` after the one on view; at first, the next one from an offset."""
        if self._current is None:
            after = (i for i, place in enumerate(self._places) if place.start >= offset)
            self._current = next(after, 0)
        else:
            self._current = (self._current + step) % len(self._places)
        return self._places[self._current]

    def words(self) -> str:
        """Say which of how many is on view."""
        if not self._places:
            return "Nothing found"
        more = "+" if len(self._places) == MAX_PLACES else ""
        return f"{(self._current or 0) + 1} of {len(self._places)}{more}"
