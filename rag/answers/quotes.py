"""Finds in the books what a model says they say.

A quote is looked for in each source in turn, word for word; only where no source has all of it is
it taken apart into the longest runs of words that a source has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from core.books import BookId
from core.stop_words import STOP_WORDS
from core.text import Span
from rag.answers.words import WordRow, is_cjk

MIN_RUN_WORDS = 5
"""A run of this many words, or with as many characters as below, says enough to stand alone."""
MIN_RUN_CHARACTERS = 24
MIN_RUN_CJK_CHARACTERS = 8
MIN_RUN_CONTENT_WORDS = 2
"""How many of a run's words must not be stop words: “and it was in the” is in every book."""
SHORT_QUOTE_WORDS = 2
"""Up to this many words, a quote is a name, a term or irony: it is cited where the passages have
it, and is no loss where they have not."""
SHORT_QUOTE_CJK_CHARACTERS = 4

_END_MARKS = frozenset(".!?…,;:。！？、，；：—–-")
_MOST_END_MARKS = 3


@dataclass(frozen=True)
class Source:
    """A stretch of a book in which quotes may be found.

    Attributes:
        book_id: the book.
        start: offset of its first character in the canonical text.
        language: the book's language.
        row: its text, taken apart.
    """

    book_id: BookId
    start: int
    language: str
    row: WordRow

    @classmethod
    def of(cls, book_id: BookId, start: int, language: str, text: str) -> Source:
        """Take a stretch of text apart."""
        return cls(book_id, start, language, WordRow.of(text))

    @property
    def span(self) -> Span:
        """Its place in the canonical text."""
        return Span(self.start, self.start + len(self.row.text))

    def slice(self, span: Span) -> str:
        """Return the text at a span of the canonical text that lies in this source."""
        return self.row.text[span.start - self.start : span.end - self.start]


@dataclass(frozen=True, slots=True)
class Located:
    """A slice of a book.

    Attributes:
        book_id: the book.
        span: its place in the canonical text.
        text: the slice.
        source: number of the source it was found in.
    """

    book_id: BookId
    span: Span
    text: str
    source: int


def is_short(quote: WordRow) -> bool:
    """Say whether a quote is too short to be taken for a statement about the book."""
    if quote.words and all(map(is_cjk, quote.words)):
        return len(quote.words) <= SHORT_QUOTE_CJK_CHARACTERS
    return len(quote.words) <= SHORT_QUOTE_WORDS


def find_whole(quote: WordRow, sources: Sequence[Source]) -> Located | None:
    """Return the first place that has all words of a quote, in the order of the sources."""
    for number, source in enumerate(sources):
        starts = source.row.find(quote.words)
        places = [_place(source, number, at, at + len(quote.words), quote) for at in starts]
        if places:
            return next((place for place in places if place.text == quote.text), places[0])
    return None


def find_runs(quote: WordRow, sources: Sequence[Source]) -> list[Located]:
    """Return the longest runs of a quote that the sources have, in the quote's order.

    The longest run of all is taken first (of equals, that of the earlier source); what stands
    before and after it in the quote is then treated likewise. Runs that say too little are left.
    """
    return list(_runs(quote, 0, len(quote.words), sources))


def _runs(quote: WordRow, first: int, past: int, sources: Sequence[Source]) -> Iterator[Located]:
    best: tuple[int, int, int, int] | None = None  # length, source, begin in quote, in source
    for number, source in enumerate(sources):
        matcher = SequenceMatcher(None, quote.words, source.row.words, autojunk=False)
        match = matcher.find_longest_match(first, past)
        if match.size > (best[0] if best else 0):
            best = (match.size, number, match.a, match.b)
    if best is None:
        return
    length, number, begin, at = best
    source = sources[number]
    if not _says_enough(quote.words[begin : begin + length], source.language):
        return
    yield from _runs(quote, first, begin, sources)
    yield _place(source, number, at, at + length, quote if begin + length == past else None)
    yield from _runs(quote, begin + length, past, sources)


def _says_enough(words: Sequence[str], language: str) -> bool:
    cjk = sum(map(is_cjk, words))
    if cjk >= MIN_RUN_CJK_CHARACTERS:
        return True
    spelt = [word for word in words if not is_cjk(word)]
    stop_words = STOP_WORDS.get(language.partition("-")[0].lower(), frozenset())
    content = sum(word not in stop_words for word in spelt)
    long_enough = len(spelt) >= MIN_RUN_WORDS or sum(map(len, spelt)) >= MIN_RUN_CHARACTERS
    return long_enough and content >= MIN_RUN_CONTENT_WORDS


def _place(source: Source, number: int, first: int, past: int, quote: WordRow | None) -> Located:
    """Return the slice from word to word, with the book's end mark where the quote has one too."""
    span = source.row.span_of(first, past)
    text = source.row.text
    end = span.end
    if quote is not None and quote.text.rstrip()[-1:] in _END_MARKS:
        most = end + _MOST_END_MARKS
        while end < min(len(text), most) and text[end] in _END_MARKS:
            end += 1
    return Located(
        source.book_id,
        Span(source.start + span.start, source.start + end),
        text[span.start : end],
        number,
    )
