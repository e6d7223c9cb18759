"""A book as the reading pane holds it: its table of contents and its sections, not its text."""

from __future__ import annotations

from dataclasses import dataclass

from app.reading.sections import Section, plan_sections, section_index
from core.books import Book, BookId
from core.ports import BookStore
from core.text import Chapter, PlacedBlock, Span, chapter_label


@dataclass(frozen=True, slots=True)
class OpenedBook:
    """What is needed to move about in a book.

    Attributes:
        book: the book as it was when opened.
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
        percentage = f"{self.fraction(offset):.0%}"
        chapter = chapter_label(self.chapters, offset)
        return f"{chapter} · {percentage}" if chapter else percentage


def load_opened_book(books: BookStore, book_id: BookId) -> OpenedBook:
    """Read what is needed to show a book; blocks the calling thread."""
    book = books.get(book_id)
    chapters = tuple(books.chapters(book_id))

    def block_at(offset: int) -> PlacedBlock | None:
        # Two characters, since the first may be the newline between two blocks.
        blocks = books.blocks(book_id, Span(offset, offset + 2))
        return blocks[0] if blocks else None

    sections = plan_sections(chapters, book.character_count, block_at)
    return OpenedBook(book, chapters, sections)
