"""Offsets in a book's canonical text against positions in the document that shows a section.

The document holds the section's blocks and nothing else, one paragraph for each, so that the two
differ only by where the section begins and by characters that UTF-16 stores in two units.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from core.text import Block, PlacedBlock, Span


class Piece(NamedTuple):
    """A paragraph of the document: a block, or as much of it as lies in the section."""

    offset: int
    text: str
    block: Block


def utf16_length(text: str) -> int:
    """Return how many UTF-16 units `text` takes."""
    return len(text) + sum(1 for character in text if character > "\uffff")


class Positions:
    """Maps between offsets of the canonical text and UTF-16 positions in a section's document.

    Attributes:
        pieces: the paragraphs of the document, in order.
    """

    def __init__(self, blocks: Sequence[PlacedBlock], section: Span) -> None:
        self.pieces: list[Piece] = []
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._wide: list[bool] = []
        position = 0
        for placed in blocks:
            first = max(placed.start, section.start)
            text = placed.block.text[first - placed.start : section.end - placed.start]
            if not text:
                continue
            units = utf16_length(text)
            self.pieces.append(Piece(first, text, placed.block))
            self._offsets.append(first)
            self._positions.append(position)
            self._wide.append(units != len(text))
            position += units + 1

    def position_of(self, offset: int) -> int:
        """Return the document position of an offset; one outside the section is cut to it."""
        if not self.pieces:
            return 0
        index = max(bisect_right(self._offsets, offset) - 1, 0)
        start, text, _ = self.pieces[index]
        within = min(max(offset - start, 0), len(text))
        if self._wide[index]:
            within = utf16_length(text[:within])
        return self._positions[index] + within

    def offset_at(self, position: int) -> int:
        """Return the offset at a document position; inside a pair of units, that of the pair."""
        if not self.pieces:
            return 0
        index = max(bisect_right(self._positions, position) - 1, 0)
        start, text, _ = self.pieces[index]
        units = max(position - self._positions[index], 0)
        if not self._wide[index]:
            return start + min(units, len(text))
        encoded = text.encode("utf-16-le")[: 2 * units]
        return start + len(encoded.decode("utf-16-le", errors="ignore"))
