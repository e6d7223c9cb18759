"""Books put straight into a store, with no parser or chunker: a test says what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from core.books import Book, Chunk, ParentChunk
from core.ports import BookStore, TextSummary
from core.search_text import search_text
from core.text import Block, BlockKind, BookMetadata, Chapter, PlacedBlock, Span, place_blocks

CHUNKS_PER_PARENT = 3


def paragraphs(texts: Sequence[str]) -> list[PlacedBlock]:
    """Make a paragraph of each text."""
    return place_blocks(
        Block(BlockKind.PARAGRAPH, text, f"0:{ordinal}") for ordinal, text in enumerate(texts)
    )


def chunk_each(placed: Sequence[PlacedBlock]) -> list[Chunk]:
    """Make a chunk of each block."""
    return [
        Chunk(block.ordinal, block.span, block.ordinal // CHUNKS_PER_PARENT, _words(block))
        for block in placed
    ]


def parent_chunks(placed: Sequence[PlacedBlock], title: str) -> list[ParentChunk]:
    """Make a parent of every three blocks."""
    groups = [
        placed[at : at + CHUNKS_PER_PARENT] for at in range(0, len(placed), CHUNKS_PER_PARENT)
    ]
    return [
        ParentChunk(
            ordinal,
            Span(group[0].start, group[-1].end),
            " ".join(map(_words, group)),
            search_text(title, "en"),
        )
        for ordinal, group in enumerate(groups)
    ]


def _words(block: PlacedBlock) -> str:
    return search_text(block.block.text, "en")


def summary(
    placed: Sequence[PlacedBlock],
    title: str = "A Book",
    *,
    chunk_count: int | None = None,
    chapters: tuple[Chapter, ...] = (),
) -> TextSummary:
    """Announce these blocks, a chunk for each."""
    return TextSummary(
        metadata=BookMetadata(title, ("A. Writer", "B. Writer"), "en", subjects=("Whales",)),
        format="txt",
        parser_version="test/1",
        chapters=chapters,
        character_count=placed[-1].end if placed else 0,
        block_count=len(placed),
        parent_count=-(-len(placed) // CHUNKS_PER_PARENT),
        chunk_count=len(placed) if chunk_count is None else chunk_count,
        chunk_character_count=sum(len(block.span) for block in placed),
        encoding="utf-8",
        warnings=("a small thing",),
    )


def store_book(
    books: BookStore,
    texts: Sequence[str],
    title: str = "A Book",
    chapters: tuple[Chapter, ...] = (),
) -> Book:
    """Store a book of these paragraphs and return it."""
    placed = paragraphs(texts)
    content_hash = hashlib.sha256(repr((title, texts)).encode()).hexdigest()
    book, _ = books.add(content_hash, f"{title}.txt", title, "txt")
    books.begin_text(book.id, summary(placed, title, chapters=chapters))
    books.append_blocks(book.id, placed)
    books.append_parents(book.id, parent_chunks(placed, title))
    books.append_chunks(book.id, chunk_each(placed))
    books.finish_text(book.id)
    return books.get(book.id)
