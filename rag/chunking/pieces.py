"""Cuts blocks into the smallest pieces that chunks are made of: sentences, lines, headings.

A piece is never longer than a chunk may be: an over-long sentence falls apart at its clause marks,
an over-long clause between words, and what has no words at a fixed length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from core.text import BlockKind
from rag.chunking.sentences import sentence_ends
from rag.chunking.tokens import CHARACTERS_PER_TOKEN, estimate_tokens

WHOLE_BLOCK_TOKENS = 24.0
"""A block up to this size, such as a line of dialogue, is one piece however many sentences."""

_SPACE_TOKENS = 1 / CHARACTERS_PER_TOKEN
_CLAUSE_END = re.compile(r"[,;:—–،؛·][\"'”’»)\]]*\s+|—|[、，；：]")
_WORD_END = re.compile(r"\s+")


class Cut(Enum):
    """What ends after a piece; the value is the cost of cutting there, in squared targets."""

    BEFORE_HEADING = -0.25
    BLOCK = 0.0
    SENTENCE = 0.05
    CLAUSE = 0.15
    WORD = 0.4
    HEADING = 1000.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A block, or the part of one that lies in one chapter: `[start, end)` of the text."""

    start: int
    end: int
    kind: BlockKind
    language: str | None


@dataclass(slots=True)
class Pieces:
    """A row of pieces, by column: offsets into the text, size in tokens, and what ends there.

    A size counts the space that follows, so that the sizes of a run add up to the run's, or more.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)

    def add(self, start: int, end: int, size: float, cut: Cut, language: str) -> None:
        """Append a piece of `size` tokens, the space after it not counted."""
        self.starts.append(start)
        self.ends.append(end)
        self.sizes.append(size + _SPACE_TOKENS)
        self.cuts.append(cut)
        self.languages.append(language)

    def joined(self, ends: Sequence[int]) -> Pieces:
        """Return the larger pieces that lie between these ends."""
        joined = Pieces()
        for first, past in pairwise((0, *ends)):
            size = sum(self.sizes[first:past]) - _SPACE_TOKENS
            last = past - 1
            joined.add(
                self.starts[first], self.ends[last], size, self.cuts[last], self.languages[first]
            )
        return joined


def cut_into_pieces(text: str, stretches: Iterable[Stretch], language: str, limit: float) -> Pieces:
    """Cut a run of blocks into pieces of at most `limit` estimated tokens.

    Args:
        text: the canonical text.
        stretches: in text order.
        language: the book's, for stretches that have none of their own.
        limit: in estimated tokens.
    """
    pieces = Pieces()
    for stretch in stretches:
        is_heading = stretch.kind is BlockKind.HEADING
        if is_heading and pieces.cuts and pieces.cuts[-1] is Cut.BLOCK:
            pieces.cuts[-1] = Cut.BEFORE_HEADING
        before = len(pieces.cuts)
        _add_stretch(pieces, text, stretch, stretch.language or language, limit)
        if len(pieces.cuts) > before:
            pieces.cuts[-1] = _end_of_stretch(stretch.kind)
    return pieces


def _end_of_stretch(kind: BlockKind) -> Cut:
    if kind is BlockKind.HEADING:
        return Cut.HEADING
    return Cut.SENTENCE if kind in (BlockKind.VERSE, BlockKind.TABLE_ROW) else Cut.BLOCK


def _add_stretch(pieces: Pieces, text: str, stretch: Stretch, language: str, limit: float) -> None:
    start, end = _strip(text, stretch.start, stretch.end)
    slice_ = text[start:end]
    size = estimate_tokens(slice_)
    if start < end and size <= (limit if stretch.kind is BlockKind.HEADING else WHOLE_BLOCK_TOKENS):
        pieces.add(start, end, size, Cut.SENTENCE, language)
        return
    previous = 0
    for stop in [*sentence_ends(slice_, language), len(slice_)]:
        first, last = _strip(text, start + previous, start + stop)
        previous = stop
        size = estimate_tokens(text[first:last])
        if size <= limit:
            if first < last:
                pieces.add(first, last, size, Cut.SENTENCE, language)
        else:
            _add_long_sentence(pieces, text, (first, last), limit, language)


def _add_long_sentence(
    pieces: Pieces, text: str, bounds: tuple[int, int], limit: float, language: str
) -> None:
    """Add a sentence past the limit as clauses, and each clause past it as groups of words."""
    for start, end in _cut_after(text, *bounds, _CLAUSE_END):
        size = estimate_tokens(text[start:end])
        if size <= limit:
            pieces.add(start, end, size, Cut.CLAUSE, language)
            continue
        for word_start, word_end in _words(text, start, end, limit / 4):
            size = estimate_tokens(text[word_start:word_end])
            pieces.add(word_start, word_end, size, Cut.WORD, language)
        pieces.cuts[-1] = Cut.CLAUSE
    pieces.cuts[-1] = Cut.SENTENCE


def _words(text: str, start: int, end: int, limit: float) -> Iterator[tuple[int, int]]:
    """Yield runs of whole words of at most `limit` tokens; a longer word is cut by length."""
    run_start, run_end = start, start
    for word_start, word_end in _cut_after(text, start, end, _WORD_END):
        if estimate_tokens(text[run_start:word_end]) <= limit:
            run_end = word_end
            continue
        if run_start < run_end:
            yield run_start, run_end
        run_start, run_end = word_start, word_end
        if estimate_tokens(text[word_start:word_end]) > limit:
            step = int(limit)
            for run_start in range(word_start, word_end - step, step):
                yield run_start, run_start + step
            run_start += step
    if run_start < run_end:
        yield run_start, run_end


def _cut_after(text: str, start: int, end: int, mark: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yield what lies between the ends of `mark`'s matches, stripped, empty parts left out."""
    previous = start
    for stop in [*(match.end() for match in mark.finditer(text, start, end)), end]:
        first, last = _strip(text, previous, stop)
        if first < last:
            yield first, last
        previous = stop


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Move both ends past white space."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
