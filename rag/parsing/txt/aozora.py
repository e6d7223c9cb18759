"""Aozora Bunko's mark-up: readings, annotations, characters outside the character set, colophon.

The notation is Aozora Bunko's own (注記一覧, https://www.aozora.gr.jp/annotation/). What is written
about a text is taken out of it; the printed characters stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.text import Matter
from rag.parsing.txt.candidates import Heading
from rag.parsing.txt.frame import Frame
from rag.parsing.txt.labels import Label, Rank
from rag.parsing.txt.source import Line

_SYMBOLS = "【テキスト中に現れる記号について】"
_ORIGIN = re.compile(r"底本[：:]")
_LIBRARY = "青空文庫"
_RULE = re.compile(r"-{20,}")
_HEADER_LINES = 60
_COLOPHON_LINES = 400

_OUTSIDE = re.compile(r"※［＃(?P<note>(?:「[^」]{0,80}」|[^］「]){0,120})］")
_UNICODE = re.compile(r"U\+(?P<code>[0-9A-Fa-f]{4,6})")
_JIS = re.compile(r"(?<!\d)(?P<plane>[12])-(?P<row>\d{1,2})-(?P<cell>\d{1,2})(?!\d)")
_ANNOTATION = re.compile(r"［＃(?:「[^」]{0,200}」|[^］「]){0,200}］")
_RUBY = re.compile(r"《[^《》\n]{1,60}》")
_RUBY_START = re.compile(r"｜(?=[^｜《》\n]{1,60}《)")
_GETA = "〓"  # what Japanese printers set where a character is missing

_LEVELS = {"大": 1, "中": 2, "小": 3}
_HEADING = re.compile(r"［＃(?:「[^」]*」は)?(?:同行|窓)?(?P<size>[大中小])見出し］")
_HEADING_BLOCK = re.compile(r"［＃ここから(?:同行|窓)?(?P<size>[大中小])見出し］")
_HEADING_BLOCK_END = "［＃ここで"
_ROLE = re.compile(r"[　 ]*(?:編著|校訂|校註|校注|訳註|訳注|共訳|翻訳|訳|譯|編|編纂|著|作)$")
_TRANSLATION = ("訳", "譯", "編", "校訂", "校註", "校注", "編纂", "訳註", "訳注")


@dataclass(frozen=True, slots=True)
class AozoraText:
    """A text with the mark-up taken out: the same lines at the same bytes."""

    lines: list[Line]
    frame: Frame
    headings: tuple[Heading, ...]


def read_aozora(lines: Sequence[Line]) -> AozoraText | None:
    """Take Aozora Bunko's mark-up out of `lines`; None where the file is not theirs."""
    symbols = next(
        (i for i, line in enumerate(lines[:_HEADER_LINES]) if line.text == _SYMBOLS), None
    )
    origin = _colophon(lines)
    if symbols is None and origin is None:
        return None
    names = _names(lines)
    end = len(lines) if origin is None else origin
    first = _header_end(lines) if symbols is None else _after_symbols(lines, symbols)
    first = min(first, end)
    title, authors = _title_and_authors(names)
    frame = Frame(first, end, Matter.BACK, title=title, authors=authors, language="ja")
    cleaned = list(lines)
    for index in range(len(lines)):
        if first <= index < end and (text := strip_markup(lines[index].text)) != lines[index].text:
            cleaned[index] = lines[index].with_text(text)
    return AozoraText(cleaned, frame, tuple(_headings(lines, cleaned, first, end)))


def strip_markup(text: str) -> str:
    """Return a line without readings and annotations, missing characters put in where known."""
    if "［" not in text and "《" not in text:
        return text
    text = _OUTSIDE.sub(lambda found: _character(found["note"]), text)
    text = _ANNOTATION.sub("", text)
    return _RUBY.sub("", _RUBY_START.sub("", text))


def _character(note: str) -> str:
    """Return the character that a note describes by code point or JIS X 0213 place, else 〓."""
    if found := _UNICODE.search(note):
        code = int(found["code"], 16)
        if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF and chr(code).isprintable():
            return chr(code)
    if found := _JIS.search(note):
        row, cell = int(found["row"]), int(found["cell"])
        if 1 <= row <= 94 and 1 <= cell <= 94:
            place = bytes((row + 0xA0, cell + 0xA0))
            plane = b"\x8f" if found["plane"] == "2" else b""
            return (plane + place).decode("euc_jis_2004", errors="ignore") or _GETA
    return _GETA


def _colophon(lines: Sequence[Line]) -> int | None:
    """Return the line of “底本：” (the printed edition) if the file ends as Aozora's do."""
    tail = range(max(0, len(lines) - _COLOPHON_LINES), len(lines))
    if not any(_LIBRARY in lines[index].text for index in tail):
        return None
    return next((index for index in tail if _ORIGIN.match(lines[index].text)), None)


def _after_symbols(lines: Sequence[Line], symbols: int) -> int:
    for index in range(symbols, min(len(lines), symbols + _HEADER_LINES)):
        if _RULE.fullmatch(lines[index].text):
            return index + 1
    return symbols + 1


def _header_end(lines: Sequence[Line]) -> int:
    return next((index for index, line in enumerate(lines[:_HEADER_LINES]) if line.blank), 0)


def _names(lines: Sequence[Line]) -> list[str]:
    """Return the lines of the header: title, subtitles, author, translator."""
    names: list[str] = []
    for line in lines[:_HEADER_LINES]:
        if line.blank and names:
            break
        if line.text:
            names.append(strip_markup(line.text))
    return names


def _title_and_authors(names: list[str]) -> tuple[str | None, tuple[str, ...]]:
    if not names:
        return None, ()
    people = names[1:]
    while len(people) > 1 and people[-1].endswith(_TRANSLATION):
        people.pop()
    author = _ROLE.sub("", people[-1]) if people else ""
    return names[0], (author,) if author else ()


def _headings(
    lines: Sequence[Line], cleaned: Sequence[Line], first: int, end: int
) -> list[Heading]:
    """Return the headings that annotations mark; a level stands for each size that is used."""
    found: list[tuple[int, int, str]] = []
    block: tuple[int, str] | None = None
    for index in range(first, end):
        text = lines[index].text
        if "見出し" not in text or "［＃" not in text:
            continue
        if opening := _HEADING_BLOCK.search(text):
            block = (index, opening["size"])
        if block and _HEADING_BLOCK_END in text:
            found.append((*_trimmed(cleaned, block[0], index), block[1]))
            block = None
        elif (marked := _HEADING.search(text)) and not block and cleaned[index].text:
            found.append((index, index, marked["size"]))
    sizes = sorted({_LEVELS[size] for _, _, size in found})
    return [
        Heading(
            start,
            last,
            Label(Rank.CHAPTER, "", None, cleaned[start].text),
            sizes.index(_LEVELS[size]) + 1,
        )
        for start, last, size in found
        if cleaned[start].text
    ]


def _trimmed(lines: Sequence[Line], first: int, last: int) -> tuple[int, int]:
    while first < last and lines[first].blank:
        first += 1
    while last > first and lines[last].blank:
        last -= 1
    return first, last
