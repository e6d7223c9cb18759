"""Widens passages to whole paragraphs, joins those that touch, and puts them in book order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.books import BookId
from core.text import BLOCK_SEPARATOR, Span
from rag.answers.shelf import Shelf
from rag.passages import Passage

REACH_CHARACTERS = 300
"""How far an excerpt may reach beyond its passage to begin and end with a paragraph."""

MAX_EXCERPT_CHARACTERS = 1600
"""Excerpts that touch are joined up to this length: one that fits no prompt helps nobody."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a book that may be sent to a model.

    Attributes:
        book_id: the book.
        chapter: path of chapter titles at its beginning.
        span: its place; `text` is exactly that slice.
        text: the slice.
        rank: place of its best passage among those found, from 0.
    """

    book_id: BookId
    chapter: str
    span: Span
    text: str
    rank: int


def expand(passages: Sequence[Passage], shelf: Shelf) -> list[Excerpt]:
    """Return excerpts that hold all passages, in the order of books and of their text.

    An excerpt never leaves the scope, nor the chapter of its passage.
    """
    reached = sorted(
        (passage.book_id, _reach(passage, shelf), rank) for rank, passage in enumerate(passages)
    )
    joined: list[tuple[BookId, Span, int]] = []
    for book_id, span, rank in reached:
        before = joined[-1] if joined and joined[-1][0] == book_id else None
        if before is None or span.start > before[1].end + len(BLOCK_SEPARATOR):
            joined.append((book_id, span, rank))
        elif span.end - before[1].start <= MAX_EXCERPT_CHARACTERS or span.end <= before[1].end:
            whole = Span(before[1].start, max(before[1].end, span.end))
            joined[-1] = (book_id, whole, min(before[2], rank))
        else:
            joined.append((book_id, Span(max(span.start, before[1].end), span.end), rank))
    return [_excerpt(book_id, span, rank, shelf) for book_id, span, rank in joined]


def _excerpt(book_id: BookId, span: Span, rank: int, shelf: Shelf) -> Excerpt:
    start, text = shelf.text(book_id, span.start, span.end)
    start += len(text) - len(text.lstrip())
    text = text.strip()
    chapter = shelf.chapter_at(book_id, start)
    return Excerpt(book_id, chapter, Span(start, start + len(text)), text, rank)


def _reach(passage: Passage, shelf: Shelf) -> Span:
    span = passage.span
    chapter = _chapter_span(passage.book_id, span, shelf)
    start, before = shelf.text(
        passage.book_id, max(span.start - REACH_CHARACTERS, chapter.start), span.start
    )
    _, after = shelf.text(passage.book_id, span.end, min(span.end + REACH_CHARACTERS, chapter.end))
    opening = before.rfind(BLOCK_SEPARATOR)
    if opening >= 0:
        new_start = start + opening + 1
    else:
        new_start = start if start == chapter.start else span.start
    closing = after.find(BLOCK_SEPARATOR)
    new_end = span.end + closing if closing >= 0 else span.end
    return Span(min(new_start, span.start), new_end)


def _chapter_span(book_id: BookId, span: Span, shelf: Shelf) -> Span:
    """Return the stretch around a span in which no chapter begins, inside the scope."""
    starts = [chapter.start for chapter in shelf.chapters(book_id)]
    start = max((at for at in starts if at <= span.start), default=0)
    end = min((at for at in starts if at >= span.end), default=shelf.end(book_id))
    return Span(start, max(min(end, shelf.end(book_id)), span.end))
