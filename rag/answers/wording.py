"""What Postil itself says in an answer, in the question's language."""

from __future__ import annotations

import re

from core.books import BookId
from rag.answers.language import content_words
from rag.answers.lexer import cleaned
from rag.answers.prompt import NOT_FOUND_REPLY, PromptFile, fill
from rag.answers.shelf import Shelf

_TITLES_NAMED = 3
_LEAD_IN = r"[^.!?。]{0,80}[,，、]\s*(?:but |aber |mais |pero |но )?"  # "I am sorry, but "


def where(prompts: PromptFile, shelf: Shelf) -> str:
    """Name what was searched: a few titles, else the library."""
    books = list(shelf.books.values())
    if shelf.scope.books is None or len(books) > _TITLES_NAMED:
        return prompts.library
    names = ", ".join(plain(book.title) for book in books)
    if len(books) == 1 and shelf.scope.up_to(books[0].id) is not None:
        percent = shelf.percent(books[0].id, shelf.end(books[0].id))
        return fill(prompts.read_so_far, where=names, percent=percent)
    return names


def not_found(prompts: PromptFile, shelf: Shelf, question: str, language: str) -> str:
    """Say that nothing was found, where, and what was searched for."""
    said = fill(prompts.not_found, where=where(prompts, shelf))
    if words := content_words(question, language):
        said += " " + fill(prompts.searched, terms=", ".join(words))
    return said


def place(prompts: PromptFile, shelf: Shelf, book_id: BookId, offset: int) -> str:
    """Name a place: the title where several books are in scope, the chapter, how far it is."""
    names = [shelf.chapter_at(book_id, offset)]
    if len(shelf.books) > 1 or not names[0]:
        names.insert(0, shelf.title(book_id))
    named = ", ".join(plain(name) for name in names if name)
    return fill(prompts.place, place=named, percent=shelf.percent(book_id, offset))


def plain(text: str) -> str:
    """Return a title without quotation marks and square brackets, which mean something here."""
    return " ".join(filter(None, map(cleaned, text.split())))


def is_refusal(prompts: PromptFile, reply: str) -> bool:
    """Say whether a reply begins by saying, in its own words, that the passages do not answer."""
    patterns = "|".join(prompts.refusals)
    return bool(re.match(rf"(?:{_LEAD_IN})?(?:{patterns})", reply.strip(), re.IGNORECASE))


class RefusalGate:
    """Holds back the beginning of a reply while it may yet be the agreed refusal."""

    def __init__(self) -> None:
        self._held = ""
        self._open = False

    @property
    def refused(self) -> bool:
        """Whether all that came so far is the agreed refusal."""
        return not self._open and _bare(self._held) == _bare(NOT_FOUND_REPLY)

    def feed(self, text: str) -> str:
        """Take the next piece; return what is certainly no refusal."""
        if self._open:
            return text
        self._held += text
        if _bare(NOT_FOUND_REPLY).startswith(_bare(self._held)):
            return ""
        self._open = True
        return self._held

    def finish(self) -> str:
        """Return what is left of a reply that ended: nothing where it is the refusal."""
        return "" if self._open or self.refused else self._held


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
