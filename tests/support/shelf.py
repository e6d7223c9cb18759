"""A small library on disk, its books made from lines of text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from core.books import Book, BookId
from core.home import Home
from core.persistence.library import Library, open_library
from core.ports import TextSummary
from core.text import (
    Block,
    BlockKind,
    BookMetadata,
    Chapter,
    Matter,
    ParsedBook,
    place_blocks,
)
from rag.chunking.chunker import chunk_book


def open_shelf(folder: Path) -> Library:
    """Open an empty library in a folder."""
    home = Home.locate(folder)
    home.prepare()
    return open_library(home)


def parsed_book(
    title: str,
    chapters: Sequence[tuple[str, Sequence[str]]],
    *,
    language: str = "en",
    matter: Matter = Matter.BODY,
) -> ParsedBook:
    """Make a parsed book of chapters, each a heading and its paragraphs."""
    blocks: list[Block] = []
    headings: list[int] = []
    for heading, paragraphs in chapters:
        headings.append(len(blocks))
        blocks.append(Block(BlockKind.HEADING, heading, f"0:{len(blocks)}", 1, matter))
        for paragraph in paragraphs:
            blocks.append(Block(BlockKind.PARAGRAPH, paragraph, f"0:{len(blocks)}", matter=matter))
    placed = place_blocks(blocks)
    return ParsedBook(
        metadata=BookMetadata(title, ("A. Writer",), language),
        blocks=tuple(blocks),
        chapters=tuple(
            Chapter(ordinal, blocks[index].text, 1, placed[index].start)
            for ordinal, index in enumerate(headings)
        ),
        format="epub",
        parser_version="test/1",
    )


def shelve(library: Library, parsed: ParsedBook) -> Book:
    """Store a parsed book as the ingest runner does, and return it."""
    content_hash = hashlib.sha256((parsed.metadata.title + parsed.text).encode()).hexdigest()
    book, _ = library.books.add(content_hash, f"{parsed.metadata.title}.epub", "", parsed.format)
    store_text(library, book.id, parsed)
    return library.books.get(book.id)


def store_text(library: Library, book_id: BookId, parsed: ParsedBook) -> None:
    """Store a book's blocks, parents and chunks."""
    chunked = chunk_book(parsed)
    summary = TextSummary(
        metadata=parsed.metadata,
        format=parsed.format,
        parser_version=parsed.parser_version,
        chapters=parsed.chapters,
        character_count=len(parsed.text),
        block_count=len(parsed.blocks),
        parent_count=len(chunked.parents),
        chunk_count=len(chunked.chunks),
        chunk_character_count=chunked.chunk_character_count,
    )
    library.books.begin_text(book_id, summary)
    library.books.append_blocks(book_id, place_blocks(parsed.blocks))
    library.books.append_parents(book_id, chunked.parents)
    library.books.append_chunks(book_id, chunked.chunks)
    library.books.finish_text(book_id)
