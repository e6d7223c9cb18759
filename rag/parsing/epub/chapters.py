"""The chapters of a book: its contents at their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from core.text import BLOCK_SEPARATOR, Block, BlockKind, Chapter, Matter
from rag.parsing.epub.archive import Target
from rag.parsing.epub.contents import Entry

_MIN_ENTRIES = 2
"""Contents with fewer entries that lead somewhere say less than the headings do."""


class Place(NamedTuple):
    """Where a target stands: the ordinal of the first block there, and whether its page has any."""

    ordinal: int
    has_text: bool = True


Finder = Callable[[Target], Place | None]
"""Finds a target in the blocks of a book; None where the book lacks it."""


def choose_chapters(
    tables: Sequence[Sequence[Entry]], blocks: Sequence[Block], find: Finder
) -> tuple[Chapter, ...]:
    """Return the chapters of the first table of contents that leads into the book.

    Where none leads to two places or more, the headings make the chapters, if they are more.
    """
    starts = list(
        accumulate((len(block.text) + len(BLOCK_SEPARATOR) for block in blocks), initial=0)
    )
    best: list[Chapter] = []
    for table in tables:
        chapters = _place_entries(table, blocks, starts, find)
        if len(chapters) >= _MIN_ENTRIES:
            return tuple(chapters)
        best = best or chapters
    headings = _from_headings(blocks, starts)
    return tuple(headings if len(headings) > len(best) else best)


def _place_entries(
    entries: Sequence[Entry], blocks: Sequence[Block], starts: Sequence[int], find: Finder
) -> list[Chapter]:
    """Return the entries as chapters in text order; those that lead nowhere are left out.

    So are those that lead to a page without text, such as a cover, unless others are under them.
    """
    headings = _heading_ordinals(blocks)
    found: list[tuple[Place, Entry]] = []
    for entry in entries:
        place = _find_entry(entry, find, headings)
        if place is not None and place.ordinal < len(blocks):
            found.append((place, entry))
    found.sort(key=lambda pair: pair[0].ordinal)
    kept: dict[tuple[int, str, int], None] = {}
    for index, (place, entry) in enumerate(found):
        if place.has_text or not _is_passed_over(place, entry, found[index + 1 : index + 2]):
            kept[starts[place.ordinal], entry.title, entry.level] = None
    return [
        Chapter(ordinal, title, level, start) for ordinal, (start, title, level) in enumerate(kept)
    ]


def _find_entry(entry: Entry, find: Finder, headings: dict[str, int]) -> Place | None:
    """Return the place of an entry: its target, a heading of its title, or its target's page."""
    if entry.target is not None and (place := find(entry.target)) is not None:
        return place
    if (ordinal := headings.get(entry.title.casefold())) is not None:
        return Place(ordinal)
    return None if entry.target is None else find(entry.target._replace(fragment=""))


def _heading_ordinals(blocks: Sequence[Block]) -> dict[str, int]:
    """Return the ordinals of headings by their text, for texts that occur once."""
    ordinals: dict[str, int] = {}
    repeated: set[str] = set()
    for ordinal, block in enumerate(blocks):
        if block.kind is BlockKind.HEADING:
            key = block.text.casefold()
            if ordinals.setdefault(key, ordinal) != ordinal:
                repeated.add(key)
    return {key: ordinal for key, ordinal in ordinals.items() if key not in repeated}


def _is_passed_over(place: Place, entry: Entry, following: list[tuple[Place, Entry]]) -> bool:
    """Say whether the next entry begins at the same place and does not lie under this one."""
    return any(
        after.ordinal == place.ordinal and other.level <= entry.level for after, other in following
    )


def _from_headings(blocks: Sequence[Block], starts: Sequence[int]) -> list[Chapter]:
    """Return the headings of the body as chapters; the levels in use count from 1."""
    headings = [
        (start, block)
        for start, block in zip(starts, blocks, strict=False)
        if block.kind is BlockKind.HEADING and block.matter is Matter.BODY
    ]
    levels = sorted({block.level for _, block in headings})
    return [
        Chapter(ordinal, block.text, levels.index(block.level) + 1, start)
        for ordinal, (start, block) in enumerate(headings)
    ]
