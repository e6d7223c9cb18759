"""The chapters of a book: its contents at their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.text import BlockKind, Chapter, Matter, PlacedBlock
from rag.parsing.epub.archive import Target
from rag.parsing.epub.contents import Entry

_MIN_ENTRIES = 2
"""Contents with fewer entries that lead somewhere say less than the headings do."""


def place_entries(
    entries: Sequence[Entry], blocks: Sequence[PlacedBlock], find: Callable[[Target], int | None]
) -> list[Chapter]:
    """Return the entries as chapters in text order; those that lead nowhere are left out.

    Args:
        entries: the contents in their own order.
        blocks: the blocks of the book.
        find: gives the ordinal of the first block at or behind a target, None where it is nowhere.
    """
    found: list[tuple[int, str, int]] = []
    for entry in entries:
        ordinal = None if entry.target is None else find(entry.target)
        if ordinal is not None and ordinal < len(blocks):
            found.append((blocks[ordinal].start, entry.title, entry.level))
    found.sort(key=lambda place: place[0])
    return [
        Chapter(ordinal, title, level, start)
        for ordinal, (start, title, level) in enumerate(dict.fromkeys(found))
    ]


def chapters_from_headings(blocks: Sequence[PlacedBlock]) -> list[Chapter]:
    """Return the headings of the body as chapters; the levels in use count from 1."""
    headings = [
        placed
        for placed in blocks
        if placed.block.kind is BlockKind.HEADING and placed.block.matter is Matter.BODY
    ]
    ranks = {
        level: rank
        for rank, level in enumerate(sorted({placed.block.level for placed in headings}), start=1)
    }
    return [
        Chapter(ordinal, placed.block.text, ranks[placed.block.level], placed.start)
        for ordinal, placed in enumerate(headings)
    ]


def choose_chapters(
    tables: Sequence[Sequence[Entry]],
    blocks: Sequence[PlacedBlock],
    find: Callable[[Target], int | None],
) -> tuple[Chapter, ...]:
    """Return the chapters of the first table of contents that leads into the book.

    Where none leads to two places or more, the headings make the chapters, if they are more.
    """
    best: list[Chapter] = []
    for table in tables:
        chapters = place_entries(table, blocks, find)
        if len(chapters) >= _MIN_ENTRIES:
            return tuple(chapters)
        best = best or chapters
    headings = chapters_from_headings(blocks)
    return tuple(headings if len(headings) > len(best) else best)
