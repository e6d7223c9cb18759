"""Keeps what a model knows of the unread part of a book out of an answer.

A model only gets passages from before the boundary, but it may know the book by heart. A sentence
that holds a name which the book mentions only after the boundary is withheld. That is what can be
told by code: an event told in words that the reader has met already passes. A name is a word that
the unread part writes with a capital in the middle of a sentence and never without; in Japanese, a
run of katakana. German writes every noun like a name, so there a noun that only the unread part
uses counts too. In scripts without capitals (Chinese, Arabic, Hebrew) names cannot be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.answers.shelf import Shelf

_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]{3,}")
# A word after another word and a space: nothing there but a name asks for a capital.
_AFTER_WORD = re.compile(r"(?<=[^\W\d_],\s|[^\W\d_]{2}\s)[^\W\d_]{2,}")


def spoiler_check(shelf: Shelf, question: str) -> Callable[[str], bool] | None:
    """Return what says of a sentence whether it names somebody from beyond the scope.

    None where every book is in scope whole. Reads the unread parts: may take a second.
    """
    limited = [book.book_id for book in shelf.scope.books or () if book.up_to is not None]
    if not limited:
        return None
    names: set[str] = set()
    for book_id in limited:
        read = shelf.text(book_id, 0, shelf.end(book_id))[1]
        known = f"{read} {question} {shelf.title(book_id)} {shelf.books[book_id].author}"
        names |= names_only_in(shelf.text_beyond(book_id), known)
    return lambda sentence: not names.isdisjoint(names_in(sentence))


def names_only_in(unread: str, known: str) -> set[str]:
    """Return the names in `unread`, folded, that `known` does not hold in any form."""
    capitalised = {word for word in _AFTER_WORD.findall(unread) if word[0].isupper()}
    lower = {word for word in re.findall(r"[^\W\d_]{2,}", unread) if word[0].islower()}
    names = {word.casefold() for word in capitalised} - {word.casefold() for word in lower}
    return (names | set(_KATAKANA.findall(unread))) - _words(known)


def names_in(sentence: str) -> set[str]:
    """Return what could be a name, folded: the capitalised words and the runs of katakana."""
    capitalised = (word for word in re.findall(r"[^\W\d_]+", sentence) if word[0].isupper())
    return _words(" ".join(capitalised)) | set(_KATAKANA.findall(sentence))


def _words(text: str) -> set[str]:
    return {
        form
        for word in re.findall(r"[^\W\d_]+", text)
        for form in (word.casefold(), word.casefold().removesuffix("s"))
    } | set(_KATAKANA.findall(text))
