"""Which sentence of a passage bears out a statement, by the words they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from core.search_text import query_terms
from core.text import Span
from rag.answers.quotation_marks import QUOTATION_MARKS
from rag.answers.quotes import Located, Source
from rag.chunking.sentences import sentence_spans

_LIKE_OURS = frozenset('“”„‟"＂')
_NO_MARKS = dict.fromkeys(map(ord, QUOTATION_MARKS), " ")


def content_terms(text: str, language: str) -> frozenset[str]:
    """Return the words of `text` that say something, in search form."""
    # A quoted text would become one phrase; here its words count one by one.
    return frozenset(query_terms(text.translate(_NO_MARKS), language))


@dataclass(frozen=True)
class Evidence:
    """A source, read sentence by sentence.

    Attributes:
        source: the stretch of text.
        number: its number among the sources, from 0.
    """

    source: Source
    number: int

    @cached_property
    def sentences(self) -> list[tuple[Span, frozenset[str]]]:
        """Its sentences with their content terms; spans count from the source's beginning."""
        text, language = self.source.row.text, self.source.language
        return [
            (span, content_terms(text[span.start : span.end], language))
            for span in sentence_spans(text, language)
        ]

    def text(self, span: Span) -> str:
        """Return the text at a span that counts from the source's beginning."""
        return self.source.row.text[span.start : span.end]

    def located(self, span: Span | None) -> Located:
        """Return a sentence as a slice of the book, or all of the source for None."""
        span = _inside_marks(self.source.row.text, span or Span(0, len(self.source.row.text)))
        return Located(
            self.source.book_id,
            Span(self.source.start + span.start, self.source.start + span.end),
            self.source.row.text[span.start : span.end],
            self.number,
        )


def _inside_marks(text: str, span: Span) -> Span:
    """Leave out marks at a slice's ends that would double the ones it is shown between.

    These are all like those, the ones around speech that is all of the slice, and one whose partner
    lies outside.
    """
    start, end = span.start, span.end
    if not any(map(str.isalnum, text[start:end])):
        return span
    marks = [index for index in range(start, end) if text[index] in QUOTATION_MARKS]
    needless = len(marks) % 2 == 1 or marks == [start, end - 1]
    while text[start] in _LIKE_OURS or (needless and text[start] in QUOTATION_MARKS):
        start += 1
    while text[end - 1] in _LIKE_OURS or (needless and text[end - 1] in QUOTATION_MARKS):
        end -= 1
    return _without_space(text, Span(start, end))


def _without_space(text: str, span: Span) -> Span:
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))


@dataclass(frozen=True, slots=True)
class Support:
    """How well a sentence of a book bears out a statement.

    Attributes:
        place: the sentence.
        shared: how many content terms of the statement it has.
        share: the part of the statement's content terms that it has, 0 to 1.
    """

    place: Located
    shared: int
    share: float


def best_support(statement: str, evidence: Sequence[Evidence], tie_break: str) -> Support | None:
    """Return the sentence with the largest part of a statement's content terms.

    Of equals, the one that shares more with `tie_break` (the question), then the first. None where
    no sentence shares any.
    """
    best: Support | None = None
    best_rank = (0, 0)
    for one in evidence:
        language = one.source.language
        wanted = content_terms(statement, language)
        asked = content_terms(tie_break, language)
        for span, terms in one.sentences:
            rank = (len(wanted & terms), len(asked & terms))
            if rank[0] and rank > best_rank:
                best_rank = rank
                best = Support(one.located(span), rank[0], rank[0] / len(wanted))
    return best
