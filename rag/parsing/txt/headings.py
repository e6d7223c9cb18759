"""Which lines of a text file are chapter headings, and how deep each stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.parsing.txt.candidates import Heading, believable, drop_contents, read_headings
from rag.parsing.txt.contents import Contents, find_contents, title_key
from rag.parsing.txt.labels import Label, Rank
from rag.parsing.txt.layout import Layout, Setting, runs
from rag.parsing.txt.source import Line

_WIDEST_TITLE = 72  # cells
_TITLE_BLANKS = 3  # blank lines before a title that has no label
_FEWEST_TITLES = 3  # a book has that many chapters, or its set-apart lines are something else
_FEWEST_NUMBERED = 3
_DEEPEST = 6
_SENTENCE_ENDS = ("!", "?", ",", ";", ":", '"', "”", "。", "！", "？", "」", "，")
_OPENERS = tuple("\"“‘'«»„-–—「『([*_~=+|<{")
_IDEOGRAPHIC_TITLE = re.compile(r"[\w\s　]{4,30}")
_DEDICATIONS = ("to ", "for ", "dedicated ", "an ", "für ", "à ")
_NOT_TITLES = {"theend", "finis", "end", "fin", "ende", "конец", "footnotes", "终", "完", "全书完"}


@dataclass(frozen=True, slots=True)
class Outline:
    """The headings of a book in order, and the line ranges that are tables of contents."""

    headings: tuple[Heading, ...]
    contents: tuple[tuple[int, int], ...] = ()

    def begin(self, end: int) -> int:
        """Return the line of the first heading or table of contents, `end` where there is none."""
        firsts = [heading.first for heading in self.headings[:1]]
        return min([*firsts, *(first for first, _ in self.contents)], default=end)


def find_outline(lines: Sequence[Line], first: int, end: int, layout: Layout) -> Outline:
    """Find the headings among lines `first` up to `end` (not included)."""
    contents = find_contents(lines, first, end)
    begin = contents.end if contents else first
    candidates, clusters = drop_contents(lines, read_headings(lines, begin, end, layout))
    headings = _with_following_titles(lines, believable(lines, candidates), end)
    if layout.setting is Setting.BLANK:
        titles = _unlabelled_titles(lines, begin, end, headings, contents)
        headings = sorted([*headings, *titles], key=lambda heading: heading.first)
    ranges = [(contents.first, contents.end)] if contents else []
    return Outline(tuple(_with_levels(headings)), tuple(ranges + clusters))


def _with_following_titles(
    lines: Sequence[Line], headings: list[Heading], end: int
) -> list[Heading]:
    """Take the title on the line after a bare number into the heading, where the book has them."""
    titles: dict[int, int | None] = {}
    for place, heading in enumerate(headings):
        if heading.label.number is None or heading.label.title or heading.first < heading.last:
            continue
        following = headings[place + 1 : place + 2]
        if following and following[0].label.number is None:  # “Chapter 30”, then “Conclusion”
            following = headings[place + 2 : place + 3]
        limit = following[0].first if following else end
        titles[place] = _title_after(lines, heading.last + 1, limit)
    found = {place: last for place, last in titles.items() if last is not None}
    if len(found) < 0.6 * len(titles):
        found = {}
    for place, heading in enumerate(headings):
        if place in titles and _is_ideographic_title(lines, heading.last + 1):
            found[place] = heading.last + 1
    taken = [replace(h, last=found.get(place, h.last)) for place, h in enumerate(headings)]
    return [
        heading
        for place, heading in enumerate(taken)
        if place == 0 or heading.first > taken[place - 1].last
    ]


def _title_after(lines: Sequence[Line], first: int, limit: int) -> int | None:
    """Return the last line of the title that begins within a few lines of `first`, if one does."""
    run = next(runs(lines, first, min(limit, first + 12)), None)
    if run is None:
        return None
    start, stop = run
    text = " ".join(line.text for line in lines[start:stop])
    if stop - start > 2 or lines[start].width > _WIDEST_TITLE or text.startswith(_OPENERS):
        return None
    if text.endswith(_SENTENCE_ENDS) or not (text[0].isupper() or text[0] > "\u3000"):
        return None
    if text.casefold().startswith(_DEDICATIONS):
        return None
    return stop - 1


def _is_ideographic_title(lines: Sequence[Line], index: int) -> bool:
    """Say whether a line right below 第一回 is its title: short, and no sentence."""
    if not 0 < index < len(lines) or not lines[index].text > "\u3000":
        return False
    return (
        lines[index - 1].text[0] == "第"
        and _IDEOGRAPHIC_TITLE.fullmatch(lines[index].text) is not None
    )


def _unlabelled_titles(
    lines: Sequence[Line],
    first: int,
    end: int,
    headings: list[Heading],
    contents: Contents | None,
) -> list[Heading]:
    """Return titles without label or number: in the table of contents, or set well apart."""
    taken = {index for heading in headings for index in range(heading.first, heading.last + 1)}
    keys = set(contents.keys) if contents else set()
    numbered = sum(heading.label.number is not None for heading in headings) >= _FEWEST_NUMBERED
    listed: list[Heading] = []
    apart: list[Heading] = []
    previous = first - _TITLE_BLANKS if contents else first
    prose = contents is not None
    for start, stop in runs(lines, first, end):
        blanks, previous = start - previous, stop
        if start in taken:
            prose = True
            continue
        text = " ".join(line.text for line in lines[start:stop])
        title = Heading(start, stop - 1, Label(Rank.CHAPTER, "", None, text))
        if stop - start <= 2 and blanks >= 1 and title_key(text) in keys:
            listed.append(title)
        elif (
            prose
            and blanks >= _TITLE_BLANKS
            and (not numbered or text.isupper())
            and _is_title(lines, start, stop)
        ):
            apart.append(title)
        prose = prose or stop - start > 3 or lines[start].width > 2 * _WIDEST_TITLE
    found = listed + apart
    return found if numbered or len(found) >= _FEWEST_TITLES else []


def _is_title(lines: Sequence[Line], start: int, stop: int) -> bool:
    text = lines[start].text
    if stop - start > 2 or any(line.width > _WIDEST_TITLE for line in lines[start:stop]):
        return False
    if text.startswith(_OPENERS) or lines[stop - 1].text.endswith(_SENTENCE_ENDS):
        return False
    letters = sum(character.isalpha() for character in text)
    return (
        letters >= 2
        and letters > len(text) / 2
        and (text[0].isupper() or text[0].isdecimal())
        and title_key(text) not in _NOT_TITLES
    )


def _with_levels(headings: list[Heading]) -> list[Heading]:
    """Give each heading its level: the tiers that the book uses, counted from the top.

    Volumes stand above parts, these above chapters, sections and bare numbers; of two kinds of
    parts the rarer is above. Titles are chapters, or stand beside numbers that run through a book.
    """
    numbered = [place for place, h in enumerate(headings) if h.label.number is not None]
    if not numbered:
        return headings
    counts = Counter(headings[place].label.word for place in numbered)

    def tier(heading: Heading) -> tuple[Rank, int]:
        rank = heading.label.rank
        return (rank, counts[heading.label.word] if rank is Rank.PART else 0)

    tiers = {tier(headings[place]) for place in numbered}
    anew = sum(
        headings[p].label.rank is Rank.NUMBER and headings[p].label.number == 1 for p in numbered
    )
    titles = (Rank.CHAPTER if (Rank.CHAPTER, 0) in tiers or anew > 1 else Rank.NUMBER, 0)
    inside = headings[numbered[0] : numbered[-1]]
    if any(heading.label.number is None for heading in inside):
        tiers.add(titles)
    levels = {tier: level for level, tier in enumerate(sorted(tiers), start=1)}
    result = []
    for place, heading in enumerate(headings):
        following = headings[place + 1] if place + 1 < len(headings) else None
        if heading.label.number is not None:
            level = levels[tier(heading)]
        elif place < numbered[0] or (place > numbered[-1] and heading.label.word):
            level = 1
        elif following and following.label.number == 1:  # it holds what is counted anew
            level = max(1, levels[tier(following)] - 1)
        else:
            level = levels.get(titles, len(levels))
        result.append(replace(heading, level=min(level, _DEEPEST)))
    return result
