"""Passages: what a search returns and an answer is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.books import BookId
from core.text import Span


class SearchMode(StrEnum):
    """Which indexes a search asks."""

    HYBRID = "hybrid"
    MEANING = "meaning"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of a book that a search found.

    Attributes:
        book_id: the book.
        book_title: its title.
        chapter: path of chapter titles, "" before the first.
        span: its place; `text` is exactly that slice of the canonical text.
        text: the slice.
        score: higher is better; comparable within one search only.
        cosine: similarity of meaning, None where meaning was not searched, or could not be: the
            book is being embedded and has not come to this passage.
        word_score: scaled BM25 of the words, 0 to 1; None where words were not searched.
    """

    book_id: BookId
    book_title: str
    chapter: str
    span: Span
    text: str
    score: float
    cosine: float | None = None
    word_score: float | None = None
