"""Puts an answer's checked pieces on paper: spacing, quotation marks, numbers of citations."""

from __future__ import annotations

from collections.abc import Callable

from core.books import BookId
from core.conversations import Citation
from core.text import Span
from rag.answers.events import CitationAdded, TextAdded
from rag.answers.quotes import Located
from rag.answers.words import is_cjk

ELLIPSIS = "[…]"
"""Stands for what a model claimed to quote and no book has."""

_CLOSING_PUNCTUATION = frozenset(".,;:!?)…。，、；：！？）")

WrittenEvent = TextAdded | CitationAdded


class Writer:
    """Turns pieces into events. Citations are numbered in the order of their appearance.

    Attributes:
        citations: all so far, by number.
    """

    def __init__(self, chapter_at: Callable[[BookId, int], str]) -> None:
        """Make a writer; `chapter_at` names the chapter at an offset of a book."""
        self.citations: list[Citation] = []
        self._chapter_at = chapter_at
        self._numbers: dict[tuple[BookId, Span], int] = {}
        self._events: list[WrittenEvent] = []
        self._space = ""
        self._last = ""
        self._last_mark = 0

    def take(self) -> list[WrittenEvent]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def space(self, text: str) -> None:
        """Part what comes from what was; of two spaces in a row the wider one counts."""
        self._space = max(self._space, text, key=_width)

    def word(self, text: str) -> None:
        """Write a plain word."""
        if self._space == " " and text[0] in _CLOSING_PUNCTUATION:
            self._space = ""  # something between was left out
        self._put(text)

    def quote(self, located: Located) -> None:
        """Write a slice of a book in quotation marks, with its citation."""
        number = self._number(located)
        self._put(f"“{located.text}”")
        self._mark(number)

    def cite(self, located: Located) -> None:
        """Write a mark of citation, close to what stands before it."""
        number = self._number(located)
        if number != self._last_mark:
            self._mark(number)

    def omission(self) -> None:
        """Write that something is left out, once for several in a row."""
        if self._last != ELLIPSIS[-1] or self._last_mark:
            self._put(ELLIPSIS)

    def _mark(self, number: int) -> None:
        glue = "" if not self._last or self._last in "\n " or is_cjk(self._last) else " "
        self._tell(f"{glue}[{number}]")
        self._last = "]"
        self._last_mark = number

    def _put(self, text: str) -> None:
        if not self._last:
            self._space = ""
        elif not self._space and self._last == "]" and _needs_space(text[0]):
            self._space = " "
        self._tell(self._space + text)
        self._space = ""
        self._last = text[-1]
        self._last_mark = 0

    def _tell(self, text: str) -> None:
        """Add to the events' text; neighbouring pieces become one event."""
        if self._events and isinstance(last := self._events[-1], TextAdded):
            self._events[-1] = TextAdded(last.text + text)
        else:
            self._events.append(TextAdded(text))

    def _number(self, located: Located) -> int:
        key = (located.book_id, located.span)
        if key not in self._numbers:
            number = self._numbers[key] = len(self._numbers) + 1
            chapter = self._chapter_at(located.book_id, located.span.start)
            citation = Citation(number, located.book_id, chapter, located.span, located.text)
            self.citations.append(citation)
            self._events.append(CitationAdded(citation))
        return self._numbers[key]


def _needs_space(character: str) -> bool:
    """Say whether a character may not touch a mark: a bracket would make a link of it."""
    return character == "(" or (character.isalnum() and not is_cjk(character))


def _width(space: str) -> int:
    return 2 * space.count("\n") + bool(space)
