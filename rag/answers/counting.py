"""Counts words in the canonical text, exactly as they stand there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.books import BookId
from core.text import Span
from rag.answers.shelf import Shelf
from rag.answers.words import is_cjk


@dataclass(frozen=True, slots=True)
class Mentions:
    """The places of some words in one book, in the order of the text, none beyond the scope."""

    book_id: BookId
    places: tuple[Span, ...]


def count_mentions(shelf: Shelf, what: str) -> list[Mentions]:
    """Find every place of `what` in the books in scope; books without one are left out.

    Whole words, capital or not; in Chinese and Japanese, which part no words, the characters.
    """
    pattern = mention_pattern(what)
    found = []
    for book_id in shelf.books:
        start, text = shelf.text(book_id, 0, shelf.end(book_id))
        places = tuple(
            Span(start + match.start(), start + match.end()) for match in pattern.finditer(text)
        )
        if places:
            found.append(Mentions(book_id, places))
    return found


def mention_pattern(what: str) -> re.Pattern[str]:
    """Return the expression that finds `what`."""
    words = r"\s+".join(map(re.escape, what.split()))
    before = "" if is_cjk(what[0]) else r"(?<!\w)"
    after = "" if is_cjk(what[-1]) else r"(?!\w)"
    return re.compile(before + words + after, re.IGNORECASE)
