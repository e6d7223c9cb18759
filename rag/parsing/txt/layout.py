"""How a text file sets its paragraphs, and the cutting of lines into them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from core.text import BlockKind, Matter
from rag.parsing.txt.source import Line

_FIRST_CHARACTERS = 8
_FEWEST_LINES = 8  # of Chinese or Japanese, to see a wrapping width in
_FIRST_WORD = re.compile(r"\S+")
_IDEOGRAPH = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]")
_TERMINAL = tuple("。！？…”」』．.!?\"'：:）)—")
_OPENING_MARKS = "\"'“‘«»(—-–"
_RULE = re.compile(r"(?:[-=_*~+#·.•—―─━＊※☆★]\s*){3,}")
_WRAP_QUANTILE = 0.98  # of the lines' extents: a few may stick out
_UNEVEN = 4  # cells by which one paragraph may be wrapped narrower than another
_VERSE_SHARE = 0.65  # of the wrapping width: a run of shorter lines is verse
_SHORT_SHARE = 0.6  # of the wrapping width: a shorter line ends its paragraph
_NARROWEST_WRAP = 50  # of alphabetic text: where all lines are shorter, none was wrapped
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
    """The setting of a file, decided once for all of it.

    Attributes:
        setting: where a paragraph ends.
        wrap: the width that lines are wrapped at, in cells.
        ragged: whether most lines end before it, as in a book of verse.
    """

    setting: Setting
    wrap: int
    ragged: bool = False


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
    extents = sorted(line.extent for line in lines if line.text)
    if not extents:
        return Layout(Setting.LINE, 0)
    ideographic = sum(_is_ideographic(line) for line in lines) > len(extents) / 2
    wrap = extents[min(len(extents) - 1, int(len(extents) * _WRAP_QUANTILE))]
    if not ideographic:
        wrap = max(wrap, _NARROWEST_WRAP)
    if wrap > _WIDEST_WRAP or (ideographic and len(extents) < _FEWEST_LINES):
        return Layout(Setting.LINE, wrap)
    pairs = [(a, b) for a, b in pairwise(lines) if a.text and b.text]
    if len(pairs) < 0.5 * len(extents):
        return Layout(Setting.BLANK, wrap)
    full = sum(not fits(a, b, wrap) and not a.text.endswith(_TERMINAL) for a, b in pairs)
    if full < 0.25 * len(pairs):  # lines break where they will: verse, or short paragraphs
        return Layout(Setting.LINE if ideographic else Setting.BLANK, wrap, ragged=True)
    if len(pairs) < 0.93 * len(extents):
        return Layout(Setting.BLANK, wrap)
    indented = sum(b.indent > a.indent for a, b in pairs)
    return Layout(Setting.INDENT if indented > 0.02 * len(pairs) else Setting.SHORT_LINE, wrap)


def fits(line: Line, following: Line, wrap: int) -> bool:
    """Say whether the first word of `following` had room on `line`: the break was meant."""
    if _is_ideographic(following):
        return line.extent + 4 <= wrap
    found = _FIRST_WORD.match(following.text)
    return line.extent + 1 + (len(found[0]) if found else 0) <= wrap


def cut_paragraphs(lines: Sequence[Line], first: int, end: int, layout: Layout) -> Iterator[Piece]:
    """Cut lines `first` up to `end` (not included) into paragraphs and lines of verse."""
    if layout.setting is Setting.LINE:
        for index in range(first, end):
            if lines[index].text:
                yield Piece(BlockKind.PARAGRAPH, index, index)
    elif layout.setting is Setting.BLANK:
        for start, stop in runs(lines, first, end):
            yield from _cut_run(lines, start, stop, layout)
    else:
        yield from _cut_dense(lines, first, end, layout)


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


def _cut_run(lines: Sequence[Line], start: int, stop: int, layout: Layout) -> Iterator[Piece]:
    if _is_verse(lines[start:stop], layout):
        for index in range(start, stop):
            yield Piece(BlockKind.VERSE, index, index)
        return
    begin = start
    for index in range(start + 1, stop):
        if is_rule(lines[index]) or is_rule(lines[index - 1]):
            yield Piece(BlockKind.PARAGRAPH, begin, index - 1)
            begin = index
    yield Piece(BlockKind.PARAGRAPH, begin, stop - 1)


def _is_verse(run: Sequence[Line], layout: Layout) -> bool:
    """Say whether the line breaks of a run are its own and not the wrapping's."""
    if len(run) < 2:
        return False
    own_wrap = max(line.extent for line in run)
    if own_wrap < _VERSE_SHARE * layout.wrap:
        return True
    capitals = sum(line.text.lstrip(_OPENING_MARKS)[:1].isupper() for line in run) / len(run)
    meant = _meant_breaks(run, layout.wrap - _UNEVEN)
    if layout.ragged:
        return meant >= 0.25 or (capitals == 1 and len(run) <= 3)
    if meant < 0.6:
        return False
    return capitals >= 0.6 or _meant_breaks(run, own_wrap - _UNEVEN) >= 0.5


def _meant_breaks(run: Sequence[Line], wrap: int) -> float:
    return sum(fits(a, b, wrap) for a, b in pairwise(run)) / (len(run) - 1)


def is_rule(line: Line) -> bool:
    """Say whether the line is drawn, not written: “-----”, “* * *”."""
    return _RULE.fullmatch(line.text) is not None


def _cut_dense(lines: Sequence[Line], first: int, end: int, layout: Layout) -> Iterator[Piece]:
    """Cut text in which few or no blank lines stand between paragraphs."""
    filled = [index for index in range(first, end) if lines[index].text]
    base = min((lines[index].indent for index in filled), default=0)
    begin = filled[0] if filled else 0
    for before, after in pairwise(filled):
        if _breaks(lines[before], lines[after], after - before > 1, base, layout):
            yield Piece(BlockKind.PARAGRAPH, begin, before)
            begin = after
    if filled:
        yield Piece(BlockKind.PARAGRAPH, begin, filled[-1])


def _breaks(line: Line, following: Line, blank_between: bool, base: int, layout: Layout) -> bool:
    """Say whether a paragraph ends with `line`."""
    if is_rule(line) or is_rule(following) or following.indent > base:
        return True
    ended = line.text.endswith(_TERMINAL) or line.extent < _SHORT_SHARE * layout.wrap
    if blank_between:  # a page break may stand in a Chinese or Japanese paragraph
        return ended or not _is_ideographic(following)
    if layout.setting is Setting.INDENT:
        return False
    return fits(line, following, layout.wrap) and (ended or not _is_ideographic(following))


def _is_ideographic(line: Line) -> bool:
    """Say whether the line is Chinese or Japanese; it may begin with a quotation mark."""
    return _IDEOGRAPH.search(line.text, 0, _FIRST_CHARACTERS) is not None
