"""The canonical text of a book, and the one coordinate that everything hangs on.

A book is a sequence of blocks in reading order. Their texts joined by one newline are the book's
canonical text, and every place in the book is an offset into it: chunks, quotes, citations,
highlights, search hits and the reading position are all half-open spans of Unicode code points.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

BLOCK_SEPARATOR = "\n"
"""What stands between two blocks in the canonical text."""

# White space that is layout, not content. U+3000 (the ideographic space) is an indent in Chinese
# and Japanese, so it folds too; zero-width characters are kept where the source has them.
_WHITE_SPACE = re.compile(r"[\s\u00a0\u2000-\u200a\u202f\u205f\u3000]+")


def fold_text(text: str) -> str:
    """Return `text` in Unicode NFC with every run of white space folded to one space, trimmed."""
    return _WHITE_SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range `[start, end)` of code points in a canonical text."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Say whether the two spans share at least one code point."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Say whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end


class BlockKind(StrEnum):
    """What a block is in the source; decides how it is shown and how it is cut into chunks."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    QUOTE = "quote"
    LIST_ITEM = "list_item"
    VERSE = "verse"
    TABLE_ROW = "table_row"
    NOTE = "note"
    CAPTION = "caption"
    CODE = "code"


class Matter(StrEnum):
    """Which part of the book a block belongs to. Only `BODY` is cut into chunks.

    Title pages, imprints, copyright pages, printed contents and half titles are `FRONT`; colophons,
    indexes and advertisements are `BACK`; a distributor's licence is `LICENCE`. Prefaces,
    introductions, epigraphs, appendices and notes are written for the reader and so are `BODY`.
    """

    FRONT = "front"
    BODY = "body"
    BACK = "back"
    LICENCE = "licence"


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph-like unit of a book, as a parser makes it; its offset comes from its place.

    Attributes:
        kind: what the block is.
        text: NFC, white space folded, never empty, never holding a newline.
        locator: where the block stands in the source, in the format's own grammar
            (EPUB: `spine index:element path`, TXT: `first byte-last byte`; see the parsers).
        level: 1 to 6 for a heading; the nesting depth, from 0, for quotes and list items.
        matter: the part of the book it belongs to.
        language: BCP 47 tag where it differs from the book's, else None.
    """

    kind: BlockKind
    text: str
    locator: str
    level: int = 0
    matter: Matter = Matter.BODY
    language: str | None = None

    def __post_init__(self) -> None:
        if not self.text or BLOCK_SEPARATOR in self.text:
            raise ValueError("a block holds at least one character and no newline")


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block at its place in the canonical text."""

    ordinal: int
    start: int
    block: Block

    @property
    def end(self) -> int:
        """The offset just past the block's last character."""
        return self.start + len(self.block.text)

    @property
    def span(self) -> Span:
        """The block's span, without the newline that follows it."""
        return Span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Chapter:
    """An entry of the table of contents at its place in the canonical text.

    Chapters are kept in text order. One reaches from `start` to the start of the next of the same
    or a higher rank; the innermost one at an offset is the last that starts at or before it.

    Attributes:
        ordinal: its number in text order, from 0.
        title: as the book has it, folded.
        level: depth in the table of contents, from 1.
        start: offset of its first character.
    """

    ordinal: int
    title: str
    level: int
    start: int


@dataclass(frozen=True, slots=True)
class BookMetadata:
    """What a book says of itself. `language` is a BCP 47 tag, or "und" where nothing tells."""

    title: str
    authors: tuple[str, ...] = ()
    language: str = "und"
    publisher: str | None = None
    published: str | None = None
    description: str | None = None
    identifiers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    series: str | None = None
    series_index: float | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover picture as the source has it."""

    data: bytes = field(repr=False)
    media_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True)
class ParsedBook:
    """What a parser makes of a source file.

    Attributes:
        metadata: title, authors, language.
        blocks: in reading order.
        chapters: in text order, starts already offsets into the canonical text.
        format: "epub" or "txt".
        parser_version: `name/number`; the text is re-read when it changes.
        cover: where the source has one.
        encoding: for a plain text file, the encoding it was read with.
        warnings: what was wrong with the source and was survived, in words for the reader.
    """

    metadata: BookMetadata
    blocks: tuple[Block, ...]
    chapters: tuple[Chapter, ...]
    format: str
    parser_version: str
    cover: Cover | None = None
    encoding: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The canonical text."""
        return BLOCK_SEPARATOR.join(block.text for block in self.blocks)


def place_blocks(blocks: Iterable[Block]) -> list[PlacedBlock]:
    """Give each block its offset in the canonical text."""
    placed: list[PlacedBlock] = []
    start = 0
    for ordinal, block in enumerate(blocks):
        placed.append(PlacedBlock(ordinal, start, block))
        start += len(block.text) + len(BLOCK_SEPARATOR)
    return placed


def chapter_path(chapters: Sequence[Chapter], offset: int) -> tuple[Chapter, ...]:
    """Return the chapters that hold `offset`, outermost first; empty before the first chapter."""
    path: list[Chapter] = []
    for chapter in chapters:
        if chapter.start > offset:
            break
        while path and path[-1].level >= chapter.level:
            path.pop()
        path.append(chapter)
    return tuple(path)


def chapter_label(chapters: Sequence[Chapter], offset: int) -> str:
    """Return the path of chapter titles at `offset` as one line, or "" before the first."""
    return " › ".join(chapter.title for chapter in chapter_path(chapters, offset))
