"""How a text file sets its paragraphs, and the cutting of lines into them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from core.text import BlockKind, Matter
from rag.parsing.txt.source import Line

_FIRST_WORD = re.compile(r"\S+")
_IDEOGRAPH = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
_TERMINAL = tuple("。！？…”」』．.!?\"'：:）)—")
# A line longer than this was not wrapped for a screen or a printer.
_WIDEST_WRAP = 130


class Setting(Enum):
    """Where a paragraph ends."""

    LINE = auto()  # every line is a paragraph
    BLANK = auto()  # wrapped lines; a blank line between paragraphs
    INDENT = auto()  # wrapped lines; a paragraph's first line is indented
    SHORT_LINE = auto()  # wrapped lines; a paragraph ends where a line falls short


@dataclass(frozen=True, slots=True)
class Layout:
    """The setting of a file, decided once for all of it; `wrap` is its line width in cells."""

    setting: Setting
    wrap: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A block to be: lines `first` to `last`, both included, by their indexes in the file."""

    kind: BlockKind
    first: int
    last: int
    level: int = 0
    matter: Matter = Matter.BODY


def choose_layout(lines: Sequence[Line]) -> Layout:
    """Decide by statistics how the file sets its paragraphs."""
    widths = sorted(line.width for line in lines if line.text)
    if not widths:
        return Layout(Setting.LINE, 0)
    wrap = widths[min(len(widths) - 1, int(len(widths) * 0.98))]
    if wrap > _WIDEST_WRAP:
        return Layout(Setting.LINE, wrap)
    pairs = [(a, b) for a, b in itertools.pairwise(lines) if a.text and b.text]
    full = sum(not fits(a, b, wrap) for a, b in pairs)
    if len(pairs) < 0.5 * len(widths):
        return Layout(Setting.BLANK, wrap)
    if full < 0.25 * len(pairs):
        ideographic = sum(bool(_IDEOGRAPH.match(line.text)) for line in lines if line.text)
        return Layout(Setting.LINE if ideographic > len(widths) / 2 else Setting.BLANK, wrap)
    if len(pairs) < 0.93 * len(widths):
        return Layout(Setting.BLANK, wrap)
    indented = sum(b.indent > a.indent for a, b in pairs)
    return Layout(Setting.INDENT if indented > 0.02 * len(pairs) else Setting.SHORT_LINE, wrap)


def fits(line: Line, following: Line, wrap: int) -> bool:
    """Say whether the first word of `following` had room on `line`: the break was meant."""
    if _IDEOGRAPH.match(following.text):
        return line.indent + line.width + 4 <= wrap
    found = _FIRST_WORD.match(following.text)
    return line.indent + line.width + 1 + (len(found[0]) if found else 0) <= wrap


def cut_paragraphs(lines: Sequence[Line], first: int, end: int, layout: Layout) -> Iterator[Piece]:
    """Cut lines `first` up to `end` (not included) into paragraphs and lines of verse."""
    if layout.setting is Setting.LINE:
        for index in range(first, end):
            if lines[index].text:
                yield Piece(BlockKind.PARAGRAPH, index, index)
        return
    for start, stop in runs(lines, first, end):
        if layout.setting is Setting.BLANK:
            yield from _cut_run(lines, start, stop, layout.wrap)
        else:
            yield from _cut_dense(lines, start, stop, layout)


def runs(lines: Sequence[Line], first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the maximal runs `[start, stop)` of lines that are not blank."""
    start = None
    for index in range(first, end):
        if lines[index].text:
            start = index if start is None else start
        elif start is not None:
            yield start, index
            start = None
    if start is not None:
        yield start, end


def _cut_run(lines: Sequence[Line], start: int, stop: int, wrap: int) -> Iterator[Piece]:
    if is_verse(lines[start:stop], wrap):
        for index in range(start, stop):
            yield Piece(BlockKind.VERSE, index, index)
    else:
        yield Piece(BlockKind.PARAGRAPH, start, stop - 1)


def is_verse(run: Sequence[Line], wrap: int) -> bool:
    """Say whether the line breaks of a run are its own and not the wrapping's."""
    if len(run) < 2:
        return False
    meant = sum(fits(a, b, wrap) for a, b in itertools.pairwise(run))
    if meant < 0.6 * (len(run) - 1):
        return False
    own = max(line.indent + line.width for line in run)
    meant = sum(fits(a, b, own) for a, b in itertools.pairwise(run))
    capitals = sum(line.text.lstrip("\"'“‘«»(—-–")[:1].isupper() for line in run)
    return capitals >= 0.6 * len(run) or meant >= 0.5 * (len(run) - 1)


def _cut_dense(lines: Sequence[Line], start: int, stop: int, layout: Layout) -> Iterator[Piece]:
    begin = start
    base = min(line.indent for line in lines[start:stop])
    for index in range(start + 1, stop):
        line = lines[index]
        if layout.setting is Setting.INDENT:
            breaks = line.indent > base
        else:
            breaks = fits(lines[index - 1], line, layout.wrap)
        if breaks:
            yield Piece(BlockKind.PARAGRAPH, begin, index - 1)
            begin = index
    yield Piece(BlockKind.PARAGRAPH, begin, stop - 1)
