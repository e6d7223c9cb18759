"""A printed table of contents at the front: found, so that its lines are not taken for chapters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.parsing.txt.labels import read_label
from rag.parsing.txt.layout import runs
from rag.parsing.txt.source import Line

_TITLE = re.compile(
    r"(?:the )?(?:table of )?contents|inhalts?(?:verzeichnis|[üu]bersicht)?"
    r"|table(?: des mati[èe]res)?|sommaire|[ií]ndice(?: general)?"
    r"|tabla de (?:contenidos?|materias)|sommario|inhoud|содержание|оглавление|目[录錄次]",
    re.IGNORECASE,
)
_NOT_WORDS = re.compile(r"[\W_]+")
_PAGE = re.compile(r"(?:[\s.·…]{2,}|…)(?:\d{1,4}|[ivxlc]+)$")
_LONGEST_RUN = 4  # lines of prose that end a table of contents without more ado
_WIDEST_ENTRY = 160
_LONGEST_KEY = 200  # characters
_TRIED_ENTRIES = 8
_SENTENCE_ENDS = (".", "!", "?", "”", '"', "。", "！", "？", "…", "」")


@dataclass(frozen=True, slots=True)
class Contents:
    """A table of contents: lines `first` up to `end`, and the keys of its entries, in order."""

    first: int
    end: int
    keys: tuple[str, ...] = ()


def title_key(text: str) -> str:
    """Return `text` as titles are compared: letters and digits only, without a page number."""
    return _NOT_WORDS.sub("", _PAGE.sub("", text[:_LONGEST_KEY].casefold()))


def find_contents(lines: Sequence[Line], first: int, end: int) -> Contents | None:
    """Find the table of contents under its own heading, in the first third of the book."""
    last = first + max(200, (end - first) // 3)
    for index in range(first, min(end, last)):
        if lines[index].width <= 40 and _TITLE.fullmatch(lines[index].text.strip(" .:*_=—-\u3000")):
            stop = _entries_end(lines, index + 1, end)
            if stop > index + 1:
                keys = [title_key(line.text) for line in lines[index + 1 : stop] if line.text]
                return Contents(index, stop, tuple(key for key in keys if key))
    return None


def _entries_end(lines: Sequence[Line], first: int, end: int) -> int:
    """Return the first line after the entries: where one of the first entries comes again."""
    entries: list[tuple[str, int]] = []
    limit = first
    before = False
    for start, stop in runs(lines, first, end):
        prose = _is_prose(lines[start:stop])
        if prose and (before or stop - start >= _LONGEST_RUN):
            break
        before = prose
        limit = stop if not prose else limit
        entries += [(title_key(lines[index].text), index) for index in range(start, stop)]
    for key, place in entries[:_TRIED_ENTRIES]:
        for later, index in entries:
            if index > place and key and later == key:
                return index
    return limit if entries else first


def _is_prose(run: Sequence[Line]) -> bool:
    """Say whether a run is a paragraph: long lines, a wrapped block, or a whole sentence."""
    if any(line.width > _WIDEST_ENTRY for line in run):
        return True
    if run[-1].text.endswith(_SENTENCE_ENDS) and sum(line.width for line in run) > 60:
        return read_label(run[0].text) is None
    if sum(read_label(line.text) is not None for line in run) > len(run) / 3:
        return False
    wide = sum(line.width >= 55 for line in run)
    return len(run) >= _LONGEST_RUN and wide >= 0.7 * (len(run) - 1) and run[0].indent < 4
