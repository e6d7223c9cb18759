"""Lines worded as chapter headings, and which of them to believe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from rag.parsing.txt.contents import title_key
from rag.parsing.txt.labels import Label, Rank, read_label, read_number, undecorated
from rag.parsing.txt.layout import Layout, Setting, runs
from rag.parsing.txt.source import Line

_LONGEST_HEADING = 4  # lines
_WIDEST_LINE_HEADING = 120  # cells, where every line is a paragraph
_WIDEST_NUMBERED = 100
_WIDEST_TITLE = 72
_FEWEST_BYTES_BETWEEN = 250  # between the numbers of a sequence: less is a list
_LARGEST_GAP = 5  # numbers that a sequence may lack in one place
_CONTENTS_CLUSTER = 4
_RULES = ("---", "===", "***", "~~~", "———")
_FEWEST_FRAMED = 3


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: lines `first` to `last`, both included; `level` from 1."""

    first: int
    last: int
    label: Label
    level: int = 1


def read_headings(lines: Sequence[Line], first: int, end: int, layout: Layout) -> list[Heading]:
    """Return what is worded and set like a heading among lines `first` up to `end`."""
    found: list[Heading] = []
    framed = _framed_titles(lines, first, end)
    for start, stop in runs(lines, first, end):
        index = start
        while index < stop:
            heading = framed.get(index) or _read_heading(lines, index, start, stop, layout)
            if heading is None and layout.setting is Setting.BLANK:
                break
            if heading is not None:
                found.append(heading)
            index = heading.last + 1 if heading else index + 1
    return found


def _framed_titles(lines: Sequence[Line], first: int, end: int) -> dict[int, Heading]:
    """Find titles between rules, “-----Title-----”, by line, where the book has several."""
    found: dict[int, Heading] = {}
    for index in range(first, end):
        text = lines[index].text
        if text[-3:] in _RULES and text[:3] in _RULES and (title := undecorated(text)) != text:
            label = read_label(title) or Label(Rank.CHAPTER, "", None, title)
            found[index] = Heading(index, index, label)
    return found if len(found) >= _FEWEST_FRAMED else {}


def _read_heading(
    lines: Sequence[Line], index: int, start: int, stop: int, layout: Layout
) -> Heading | None:
    line = lines[index]
    alone = layout.setting is not Setting.BLANK
    if line.width > (_WIDEST_LINE_HEADING if alone else layout.wrap + 20):
        return None
    if label := read_label(undecorated(line.text)):
        if alone or (not label.title and stop - index > 2):
            return Heading(index, index, label)
        return Heading(index, stop - 1, label) if stop - index <= _LONGEST_HEADING else None
    number = read_number(line.text) if line.width <= _WIDEST_NUMBERED else None
    if number and alone and (not number.title or stop - start == 1):
        return Heading(index, index, number)
    if number and not alone and index == start and stop - start <= 2:
        return Heading(index, stop - 1, number)
    return None


def drop_contents(
    lines: Sequence[Line], candidates: list[Heading]
) -> tuple[list[Heading], list[tuple[int, int]]]:
    """Drop clusters of headings without text between them that come again later.

    Returns the rest, and the line ranges of the clusters: tables of contents without a heading.
    """
    keys = [title_key(lines[candidate.first].text) for candidate in candidates]
    last_places = {key: place for place, key in enumerate(keys)}
    kept: list[Heading] = []
    clusters: list[tuple[int, int]] = []
    index = 0
    while index < len(candidates):
        stop, seen = index + 1, {keys[index]}
        while (
            stop < len(candidates)
            and keys[stop] not in seen
            and _is_adjacent(lines, candidates[stop - 1].last + 1, candidates[stop].first)
        ):
            seen.add(keys[stop])
            stop += 1
        repeated = sum(
            last_places[key] >= stop and (c.label.rank is not Rank.NUMBER or c.label.title != "")
            for key, c in zip(keys[index:stop], candidates[index:stop], strict=True)
        )
        if stop - index >= _CONTENTS_CLUSTER and repeated >= (stop - index) / 2:
            clusters.append((candidates[index].first, candidates[stop - 1].last + 1))
        else:
            kept += candidates[index:stop]
        index = stop
    return kept, clusters


def _is_adjacent(lines: Sequence[Line], first: int, end: int) -> bool:
    between = [line for line in lines[first:end] if line.text]
    return len(between) <= 1 and all(line.width <= _WIDEST_TITLE for line in between)


def believable(lines: Sequence[Line], candidates: list[Heading]) -> list[Heading]:
    """Keep labelled headings in their order, and bare numbers that count up with text between."""
    labelled = [c for c in candidates if c.label.rank is not Rank.NUMBER]
    numbers = [c for c in candidates if c.label.rank is Rank.NUMBER]
    kept = [*_without_mentions(lines, _without_title_page(labelled)), *_counting(lines, numbers)]
    return sorted(kept, key=lambda heading: heading.first)


def _without_title_page(labelled: list[Heading]) -> list[Heading]:
    """Drop “Volume XXXIII” of a title page: volumes and parts that do not count up."""
    if not any(heading.label.rank is Rank.CHAPTER for heading in labelled):
        return labelled
    numbers: dict[str, set[int]] = {}
    for heading in labelled:
        if heading.label.number is not None:
            numbers.setdefault(heading.label.word, set()).add(heading.label.number)
    return [
        heading
        for heading in labelled
        if heading.label.rank >= Rank.CHAPTER or len(numbers[heading.label.word]) > 1
    ]


def _without_mentions(lines: Sequence[Line], labelled: list[Heading]) -> Iterator[Heading]:
    """Drop running heads that repeat a heading, and paragraphs that begin by naming a chapter."""
    last: dict[str, Heading] = {}
    for heading in labelled:
        label = heading.label
        if label.number is not None:
            before = last.get(label.word)
            if before and _repeats(lines, before, heading):
                continue
            # What a higher heading opens may begin like the part before it.
            last = {word: h for word, h in last.items() if h.label.rank <= label.rank}
            last[label.word] = heading
        yield heading


def _repeats(lines: Sequence[Line], before: Heading, heading: Heading) -> bool:
    if heading.label.run_on:
        return (heading.label.number or 0) <= (before.label.number or 0)
    return title_key(lines[before.first].text) == title_key(lines[heading.first].text)


def _counting(lines: Sequence[Line], numbers: list[Heading]) -> Iterator[Heading]:
    def family(heading: Heading) -> tuple[str, bool]:
        return heading.label.word, bool(heading.label.title)

    for _, members in groupby(sorted(numbers, key=family), key=family):
        for sequence in _sequences(list(members)):
            starts = [lines[heading.last].end for heading in sequence]
            between = [after - before for before, after in pairwise(starts)]
            if between and median(between) >= _FEWEST_BYTES_BETWEEN:
                yield from sequence


def _sequences(numbers: list[Heading]) -> Iterator[list[Heading]]:
    sequence: list[Heading] = []
    for heading in numbers:
        number = heading.label.number or 0
        last = sequence[-1].label.number or 0 if sequence else 0
        if number == 1:
            yield sequence
            sequence = [heading]
        elif sequence and last < number <= last + 1 + _LARGEST_GAP:
            sequence.append(heading)
    yield sequence
