"""Which lines of a text file are chapter headings, and how deep each stands."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from rag.parsing.txt.contents import find_contents, title_key
from rag.parsing.txt.labels import Label, Rank, read_label, read_number
from rag.parsing.txt.layout import Layout, Setting, runs
from rag.parsing.txt.source import Line

_LONGEST_HEADING = 4  # lines
_WIDEST_LINE_HEADING = 120  # cells, where every line is a paragraph
_WIDEST_NUMBERED = 100
_WIDEST_TITLE = 72
_FEWEST_BYTES_BETWEEN = 250  # between the numbers of a sequence: less is a list
_CONTENTS_CLUSTER = 4
_SENTENCE_ENDS = (".", "!", "?", ",", ";", ":", '"', "”", "。", "！", "？", "」", "，")
_OPENERS = ('"', "“", "‘", "'", "«", "»", "„", "-", "–", "—", "「", "『", "(", "[", "*")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: lines `first` to `last`, both included; `level` from 1."""

    first: int
    last: int
    label: Label
    level: int = 1


@dataclass(frozen=True, slots=True)
class Outline:
    """The headings of a book in order, and the line ranges that are tables of contents."""

    headings: tuple[Heading, ...]
    contents: tuple[tuple[int, int], ...]


def find_outline(lines: Sequence[Line], first: int, end: int, layout: Layout) -> Outline:
    """Find the headings among lines `first` up to `end` (not included)."""
    contents = find_contents(lines, first, end)
    begin = contents.end if contents else first
    candidates = _candidates(lines, begin, end, layout)
    candidates, clusters = _drop_contents(lines, candidates)
    labelled = [c for c in candidates if c.label.rank is not Rank.NUMBER]
    numbered = _sequences(lines, [c for c in candidates if c.label.rank is Rank.NUMBER])
    headings = sorted(labelled + numbered, key=lambda heading: heading.first)
    headings = _with_following_titles(lines, headings, end)
    ranges = [(contents.first, contents.end)] if contents else []
    return Outline(tuple(_with_levels(headings)), tuple(ranges + clusters))


def _candidates(lines: Sequence[Line], first: int, end: int, layout: Layout) -> list[Heading]:
    found: list[Heading] = []
    for start, stop in runs(lines, first, end):
        index = start
        while index < stop:
            heading = _read_heading(lines, index, start, stop, layout)
            if heading is None and layout.setting is Setting.BLANK:
                break
            if heading is not None:
                found.append(heading)
            index = heading.last + 1 if heading else index + 1
    return found


def _read_heading(
    lines: Sequence[Line], index: int, start: int, stop: int, layout: Layout
) -> Heading | None:
    line = lines[index]
    alone = layout.setting is not Setting.BLANK
    if line.width > (_WIDEST_LINE_HEADING if alone else layout.wrap + 20):
        return None
    if label := read_label(line.text):
        if alone or (label.title == "" and stop - index > 2):
            return Heading(index, index, label)
        return Heading(index, stop - 1, label) if stop - index <= _LONGEST_HEADING else None
    if index == start and stop - start <= (1 if alone else 3) and line.width <= _WIDEST_NUMBERED:
        if number := read_number(line.text):
            return Heading(index, stop - 1, number)
    return None


def _drop_contents(
    lines: Sequence[Line], candidates: list[Heading]
) -> tuple[list[Heading], list[tuple[int, int]]]:
    """Drop clusters of headings with no text between, which come again later."""
    keys = [title_key(lines[candidate.first].text) for candidate in candidates]
    kept: list[Heading] = []
    clusters: list[tuple[int, int]] = []
    index = 0
    while index < len(candidates):
        stop = index + 1
        while (
            stop < len(candidates)
            and _text_lines(lines, candidates[stop - 1].last + 1, candidates[stop].first) <= 1
        ):
            stop += 1
        again = set(keys[stop:])
        repeated = sum(key in again for key in keys[index:stop])
        if stop - index >= _CONTENTS_CLUSTER and repeated >= (stop - index) / 2:
            clusters.append((candidates[index].first, candidates[stop - 1].last + 1))
        else:
            kept += candidates[index:stop]
        index = stop
    return kept, clusters


def _text_lines(lines: Sequence[Line], first: int, end: int) -> int:
    return sum(1 for index in range(first, end) if lines[index].text)


def _sequences(lines: Sequence[Line], numbered: list[Heading]) -> list[Heading]:
    """Keep the numbers that count up from one, with text between them."""
    kept: list[Heading] = []
    families = {(heading.label.word, bool(heading.label.title)) for heading in numbered}
    for family in families:
        sequence: list[Heading] = []
        for heading in [h for h in numbered if (h.label.word, bool(h.label.title)) == family]:
            number = heading.label.number or 0
            last = sequence[-1].label.number or 0 if sequence else 0
            if number == 1:
                kept += _checked(lines, sequence)
                sequence = [heading]
            elif sequence and last < number <= last + 3:
                sequence.append(heading)
        kept += _checked(lines, sequence)
    return kept


def _checked(lines: Sequence[Line], sequence: list[Heading]) -> list[Heading]:
    if len(sequence) < 2:
        return []
    starts = [lines[heading.last].end for heading in sequence]
    between = median(b - a for a, b in itertools.pairwise(starts))
    return sequence if between >= _FEWEST_BYTES_BETWEEN else []


def _with_following_titles(
    lines: Sequence[Line], headings: list[Heading], end: int
) -> list[Heading]:
    """Take the title on the line after a bare number into the heading, where the book has them."""
    bare = [
        (place, _title_after(lines, heading, headings[place + 1 : place + 2], end))
        for place, heading in enumerate(headings)
        if heading.label.number is not None
        and not heading.label.title
        and heading.first == heading.last
    ]
    titled = [(place, last) for place, last in bare if last is not None]
    if len(titled) < 0.6 * len(bare):
        return headings
    result = list(headings)
    for place, last in titled:
        result[place] = replace(result[place], last=last)
    return result


def _title_after(
    lines: Sequence[Line], heading: Heading, following: list[Heading], end: int
) -> int | None:
    limit = following[0].first if following else end
    run = next(runs(lines, heading.last + 1, min(limit, heading.last + 12)), None)
    if run is None:
        return None
    start, stop = run
    text = lines[start].text
    if stop - start > 2 or lines[start].width > _WIDEST_TITLE or text.startswith(_OPENERS):
        return None
    if text.endswith(_SENTENCE_ENDS[1:]) or not (text[0].isupper() or text[0] > "\u3000"):
        return None
    if stop - start == 2 and start != heading.last + 1 and lines[stop - 1].width > 60:
        return None
    return stop - 1


def _with_levels(headings: list[Heading]) -> list[Heading]:
    numbered = [heading for heading in headings if heading.label.number is not None]
    counts = Counter((heading.label.rank, heading.label.word) for heading in numbered)
    order = sorted(counts, key=lambda family: (family[0], counts[family]))
    levels = _family_levels(order)
    chapter = max((levels[family] for family in order if family[0] <= Rank.CHAPTER), default=1)
    result = []
    for place, heading in enumerate(headings):
        if heading.label.number is None:
            inside = any(h.label.number is not None for h in headings[:place]) and any(
                h.label.number is not None for h in headings[place:]
            )
            level = chapter if inside else 1
        else:
            level = levels[(heading.label.rank, heading.label.word)]
        result.append(replace(heading, level=min(level, 6)))
    return result


def _family_levels(order: list[tuple[Rank, str]]) -> dict[tuple[Rank, str], int]:
    levels: dict[tuple[Rank, str], int] = {}
    level = 0
    previous: Rank | None = None
    for rank, word in order:
        if rank != previous or rank is Rank.PART:
            level += 1
        levels[(rank, word)] = level
        previous = rank
    return levels
