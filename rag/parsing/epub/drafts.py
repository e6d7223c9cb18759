"""The blocks of a page in the making, and how verse is told from other lines."""

from __future__ import annotations

from dataclasses import dataclass

from core.text import BlockKind, Matter

_MIN_VERSE_LINES = 3
_MAX_VERSE_LINE = 120
_MEAN_VERSE_LINE = 60
"""Lines broken by hand are verse if there are three or more and they are as short as verse is."""
_FLOWING = (BlockKind.PARAGRAPH, BlockKind.QUOTE)


@dataclass(slots=True)
class Draft:
    """A block in the making; `locator` still lacks the spine index."""

    kind: BlockKind
    text: str
    locator: str
    level: int
    matter: Matter
    language: str | None


def are_verse(lines: list[Draft]) -> bool:
    """Say whether lines that were broken by hand look like verse."""
    if len(lines) < _MIN_VERSE_LINES or any(line.kind not in _FLOWING for line in lines):
        return False
    lengths = [len(line.text) for line in lines]
    return max(lengths) <= _MAX_VERSE_LINE and sum(lengths) / len(lengths) <= _MEAN_VERSE_LINE
