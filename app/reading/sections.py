"""Cuts a book into the sections that the reading pane shows one at a time.

A section is a chapter, or a part of a long one: what is laid out at once must stay small, or the
window would stop for the time that takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.text import Chapter, PlacedBlock, Span

MAX_SECTION_CHARACTERS = 20_000
"""A section laid out in about 10 ms on a slow machine; see tests/app/reading."""

MIN_SECTION_CHARACTERS = 600
"""A shorter chapter (a part's title, an epigraph) is shown together with the next."""

BlockAt = Callable[[int], PlacedBlock | None]


@dataclass(frozen=True, slots=True)
class Section:
    """What is shown at once: a span, the chapters that begin in it or hold it, and which part.

    Attributes:
        span: its place; neighbours join without a gap, and all together are the book.
        title: the title of the chapter it begins with, "" before the first.
        part: its number within a long chapter, from 1.
        part_count: how many parts that chapter has, 1 for most.
    """

    span: Span
    title: str
    part: int = 1
    part_count: int = 1

    @property
    def label(self) -> str:
        """The title, with the part where there are several."""
        if self.part_count == 1:
            return self.title
        return f"{self.title or 'Text'} ({self.part} of {self.part_count})"


def plan_sections(
    chapters: Sequence[Chapter], character_count: int, block_at: BlockAt
) -> tuple[Section, ...]:
    """Cut a book of `character_count` code points into sections.

    Args:
        chapters: the table of contents in text order.
        character_count: length of the canonical text.
        block_at: returns the block at an offset; asked only where a long chapter must be cut.
    """
    starts = _chapter_starts(chapters, character_count)
    ends = [start for start, _ in starts[1:]] + [character_count]
    sections: list[Section] = []
    for (start, title), end in zip(starts, ends, strict=True):
        cuts = _cuts(Span(start, end), block_at)
        for part, (first, last) in enumerate(pairwise(cuts), start=1):
            sections.append(Section(Span(first, last), title, part, len(cuts) - 1))
    return tuple(sections)


def section_index(sections: Sequence[Section], offset: int) -> int:
    """Return the index of the section that holds `offset`; past the end, the last."""
    found = bisect_right(sections, offset, key=lambda section: section.span.start) - 1
    return max(found, 0)


def _chapter_starts(chapters: Sequence[Chapter], character_count: int) -> list[tuple[int, str]]:
    """Return where sections begin and by what title, leaving out chapters too short to stand."""
    starts: list[tuple[int, str]] = [(0, "")]
    for chapter in chapters:
        if chapter.start >= character_count:
            break
        start, title = starts[-1]
        if chapter.start - start >= MIN_SECTION_CHARACTERS:
            starts.append((chapter.start, chapter.title))
        elif not title:
            starts[-1] = (start, chapter.title)
    return starts


def _cuts(span: Span, block_at: BlockAt) -> list[int]:
    """Return the offsets that cut a span into even parts, at the starts of blocks where it can."""
    count = max(1, -(-len(span) // MAX_SECTION_CHARACTERS))
    cuts = [span.start]
    for part in range(1, count):
        wanted = span.start + len(span) * part // count
        block = block_at(wanted)
        if block is not None and block.start > cuts[-1]:
            wanted = block.start
        cuts.append(wanted)
    cuts.append(span.end)
    return cuts
