"""A book as the reading pane holds it: its table of contents and its sections, not its text."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.reading.sections import Section, plan_sections, section_index
from app.wording import percentage
from core.books import Book, BookId
from core.ports import BookStore
from core.text import Chapter, Matter, PlacedBlock, Span, chapter_label

_FRONT_CHARACTERS = 40_000


@dataclass(frozen=True, slots=True)
class OpenedBook:
    """What is needed to move about in a book.

    Attributes:
        book: the book; its reading offset is the reader's place, at first where the text begins.
        chapters: its table of contents in text order.
        sections: what is shown at once, in text order; at least one.
    """

    book: Book
    chapters: tuple[Chapter, ...]
    sections: tuple[Section, ...]

    def section_at(self, offset: int) -> int:
        """Return the index of the section that holds an offset."""
        return section_index(self.sections, offset)

    def fraction(self, offset: int) -> float:
        """Return how far into the book an offset lies, 0 to 1."""
        return min(offset / max(self.book.character_count, 1), 1.0)

    def place(self, offset: int) -> str:
        """Return an offset as chapter and percentage, for the reader."""
        chapter = chapter_label(self.chapters, offset)
        return " · ".join(filter(None, (chapter, percentage(self.fraction(offset)))))


def load_opened_book(books: BookStore, book_id: BookId) -> OpenedBook:
    """Read what is needed to show a book; blocks the calling thread."""
    book = books.get(book_id)
    chapters = tuple(books.chapters(book_id))

    def block_at(offset: int) -> PlacedBlock | None:
        # Two characters, since the first may be the newline between two blocks.
        blocks = books.blocks(book_id, Span(offset, offset + 2))
        return blocks[0] if blocks else None

    sections = plan_sections(chapters, book.character_count, block_at)
    if book.reading_offset == 0:
        book = replace(book, reading_offset=_beginning(books, book_id))
    return OpenedBook(book, chapters, sections)


def _beginning(books: BookStore, book_id: BookId) -> int:
    """Return where the text written for the reader begins, past title page and imprint."""
    for placed in books.blocks(book_id, Span(0, _FRONT_CHARACTERS)):
        if placed.block.matter is Matter.BODY:
            return placed.start
    return 0
