"""Finds the places of a phrase in a book's text, as typed but for capitals."""

from __future__ import annotations

import re

from core.text import Span

MAX_PLACES = 2000
_WINDOW = 100_000


def find_places(text: str, phrase: str) -> list[Span]:
    """Return where `phrase` stands in `text`, at most `MAX_PLACES` of them, in order.

    The text is searched a window at a time: one long search would keep the interpreter from the
    window's own thread.
    """
    wanted = phrase.strip()
    if not wanted:
        return []
    words = r"\s+".join(re.escape(word) for word in wanted.split())
    pattern = re.compile(words, re.IGNORECASE)
    overlap = 2 * len(wanted)
    places: list[Span] = []
    for start in range(0, len(text), _WINDOW):
        window_end = start + _WINDOW
        for match in pattern.finditer(text, start, min(window_end + overlap, len(text))):
            if match.start() >= window_end:
                break
            if places and match.start() < places[-1].end:
                continue
            places.append(Span(match.start(), match.end()))
            if len(places) == MAX_PLACES:
                return places
    return places
