"""A text file as lines, each with its place in the file's bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.text import fold_text
from rag.parsing.txt.encodings import Decoding, unit_size

# East Asian wide characters take two cells of a fixed-width line; the ranges are those of
# Unicode's East Asian Width property (UAX 11, W and F), without the rare ones.
_WIDE = re.compile(
    r"[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff"
    r"\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003fffd]"
)
# Chinese and Japanese write no space between words, so a line break inside a paragraph is none.
_UNSPACED = re.compile(
    r"[\u2e80-\u303e\u3041-\ua4cf\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff65"
    r"\U00020000-\U0003fffd]"
)
_EITHER = "“”‘’—…"  # punctuation that spaced and unspaced scripts share
_TAB_CELLS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text file.

    Attributes:
        text: its characters, without the line end and without white space at either side.
        start: offset in the file of its first byte.
        end: offset in the file just past its last byte, before the line end.
        indent: white space before the text, in cells of a fixed-width font.
        width: the text's width in cells; wide East Asian characters take two.
    """

    text: str
    start: int
    end: int
    indent: int
    width: int

    @property
    def blank(self) -> bool:
        """Say whether there is nothing on the line but white space."""
        return not self.text

    @property
    def extent(self) -> int:
        """Where the text ends, in cells from the left margin."""
        return self.indent + self.width

    def with_text(self, text: str) -> Line:
        """Return the line with other characters (mark-up taken out) at the same place."""
        return replace(self, text=text.strip(), width=cell_width(text.strip()))


def cell_width(text: str) -> int:
    """Return the width of `text` in cells of a fixed-width font."""
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))


def read_lines(data: bytes, decoding: Decoding) -> list[Line]:
    """Cut `data` at CRLF, LF or CR and decode each line by itself.

    No encoding that `decoding` can name lets a character, or a shift state, run over a line end,
    so decoding line by line equals decoding the whole, and every line's byte range is exact.
    """
    lines: list[Line] = []
    for start, end in _line_ranges(data, decoding):
        raw = data[start:end].decode(decoding.encoding, errors="replace")
        text = raw.strip()
        indent = raw[: len(raw) - len(raw.lstrip())] if raw[:1].isspace() else ""
        lines.append(Line(text, start, end, _indent_cells(indent), cell_width(text)))
    return lines


def _line_ranges(data: bytes, decoding: Decoding) -> Iterator[tuple[int, int]]:
    import numpy as np  # slow to import, and a worker that reads an EPUB needs none

    unit = unit_size(decoding.encoding)
    whole = len(data) - (len(data) - decoding.bom_bytes) % unit
    order = ">" if decoding.encoding.endswith("be") else "<"
    units = np.frombuffer(
        data,
        dtype=f"{order}u{unit}",
        offset=decoding.bom_bytes,
        count=(whole - decoding.bom_bytes) // unit,
    )
    breaks = np.flatnonzero((units == 0x0A) | (units == 0x0D))
    returns = (units[breaks] == 0x0D).tolist()
    start, skipped = 0, -1
    for index, is_return in zip(breaks.tolist(), returns, strict=True):
        if index == skipped:
            start = index + 1
            continue
        yield decoding.bom_bytes + start * unit, decoding.bom_bytes + index * unit
        start = index + 1
        skipped = start if is_return and start < len(units) and units[start] == 0x0A else -1
    if decoding.bom_bytes + start * unit < len(data):
        yield decoding.bom_bytes + start * unit, len(data)


def _indent_cells(space: str) -> int:
    cells = 0
    for character in space:
        if character == "\t":
            cells += _TAB_CELLS - cells % _TAB_CELLS
        else:
            cells += 2 if character == "\u3000" else 1
    return cells


def join_lines(lines: list[str]) -> str:
    """Return the lines of one paragraph as its text, folded.

    A line break stands for a space, except between two characters of a script that is written
    without spaces.
    """
    if len(lines) == 1:
        return fold_text(lines[0])
    joined = ""
    parts: list[str] = []
    for line in filter(None, lines):
        if joined and not _joins_unspaced(joined[-1], line[0]):
            parts.append(" ")
        parts.append(line)
        joined = line
    return fold_text("".join(parts))


def _joins_unspaced(before: str, after: str) -> bool:
    wide_before, wide_after = _UNSPACED.match(before), _UNSPACED.match(after)
    return bool(
        (wide_before and (wide_after or after in _EITHER)) or (wide_after and before in _EITHER)
    )
