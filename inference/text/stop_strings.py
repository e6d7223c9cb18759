"""Strings that end an answer, found across the borders of tokens."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Looks for stop strings in a text that comes piece by piece.

    Text is held back only while it may be the beginning of a stop string. The answer ends where
    first a stop string is complete; of several that end there the longest counts. How the text is
    cut into pieces makes no difference.

    Each string is matched by Knuth, Morris and Pratt's automaton (SIAM J. Comput. 6, 1977): time
    linear in the text, and characters that begin no stop string are skipped by `str.find`.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """Prepare to look for these.

        Args:
            stops: none empty.
        """
        self._automata = [_Automaton(stop) for stop in dict.fromkeys(stops)]
        self._held = ""

    def push(self, text: str) -> tuple[str, str | None]:
        """Take further text.

        Returns:
            The text to emit, and the stop string that was met, or None. After one was met the rest
            of the text is dropped, and the answer is over.
        """
        if not self._automata:
            return text, None
        ends = [(end, automaton.stop) for automaton in self._automata
                if (end := automaton.advance(text)) is not None]  # fmt: skip
        pending = self._held + text
        if ends:
            end = min(end for end, _ in ends)
            stop = max((stop for at, stop in ends if at == end), key=len)
            self._held = ""
            return pending[: len(pending) - len(text) + end - len(stop)], stop
        held = max(automaton.matched for automaton in self._automata)
        self._held = pending[len(pending) - held :]
        return pending[: len(pending) - held], None

    def flush(self) -> str:
        """End the text without a stop string: what was held back."""
        held, self._held = self._held, ""
        return held


class _Automaton:
    """Matches one string; `matched` of its characters end the text so far."""

    __slots__ = ("_borders", "matched", "stop")

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0
        self._borders = _borders(stop)

    def advance(self, text: str) -> int | None:
        """Read on; the place in `text` after the first complete match, or None."""
        stop, borders, matched = self.stop, self._borders, self.matched
        place = 0
        while place < len(text):
            if matched == 0:
                place = text.find(stop[0], place)
                if place < 0:
                    break
            character = text[place]
            while matched and stop[matched] != character:
                matched = borders[matched]
            if stop[matched] == character:
                matched += 1
            place += 1
            if matched == len(stop):
                self.matched = 0
                return place
        self.matched = matched
        return None


def _borders(stop: str) -> list[int]:
    """For each length, the longest proper beginning of the string that ends that much of it."""
    borders = [0, 0]
    border = 0
    for character in stop[1:]:
        while border and stop[border] != character:
            border = borders[border]
        if stop[border] == character:
            border += 1
        borders.append(border)
    return borders
