"""Passages around chunks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.books import Book, StoredChunk
from core.persistence.library import Library
from core.scope import ResolvedScope, Scope
from rag.passages import Passage
from rag.retrieval.widening import MAX_PASSAGE_CHARACTERS, RankedChunk, Widener
from support.shelf import open_shelf, parsed_book, shelve

SENTENCE = "The lamp on the hill burned through the night and nobody came to put it out. "


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    shelf = open_shelf(tmp_path)
    yield shelf
    shelf.close()


@pytest.fixture
def book(library: Library) -> Book:
    paragraph = (SENTENCE * 4).strip()
    return shelve(
        library, parsed_book("Lamps", [("One", [paragraph] * 6), ("Two", [paragraph] * 6)])
    )


def chunks_of(library: Library, book: Book) -> list[StoredChunk]:
    ids = library.books.chunk_range(book.id)
    assert ids is not None
    return library.books.chunks(range(ids.first, ids.last + 1))


def passages(library: Library, book: Book, scope: ResolvedScope) -> list[Passage]:
    ranked = [RankedChunk(chunk, 1.0, None, None) for chunk in chunks_of(library, book)]
    return Widener(library.books, scope).passages(ranked, len(ranked))


def everything(library: Library) -> ResolvedScope:
    return library.books.resolve(Scope.library())


def test_a_passage_is_a_slice_of_the_text(library: Library, book: Book) -> None:
    text = library.books.text(book.id)
    for passage in passages(library, book, everything(library)):
        assert passage.text == text[passage.span.start : passage.span.end]
        assert len(passage.text) <= MAX_PASSAGE_CHARACTERS


def test_passages_never_overlap_and_hold_every_chunk(library: Library, book: Book) -> None:
    found = passages(library, book, everything(library))
    for before, after in itertools.pairwise(found):
        assert not before.span.overlaps(after.span)
    for chunk in chunks_of(library, book):
        assert any(passage.span.contains(chunk.span) for passage in found)


def test_a_passage_stays_in_its_chapter(library: Library, book: Book) -> None:
    second = library.books.chapters(book.id)[1].start
    for passage in passages(library, book, everything(library)):
        assert not passage.span.start < second < passage.span.end
        assert passage.chapter == ("One" if passage.span.start < second else "Two")


def test_widening_never_passes_the_boundary(library: Library, book: Book) -> None:
    for up_to in range(0, book.character_count, 97):
        scope = library.books.resolve(Scope.book(book.id, up_to))
        inside = [chunk for chunk in chunks_of(library, book) if chunk.span.end <= up_to]
        ranked = [RankedChunk(chunk, 1.0, None, None) for chunk in reversed(inside)]
        found = Widener(library.books, scope).passages(ranked, 100)
        assert all(passage.span.end <= up_to for passage in found)
        assert bool(found) == bool(inside)


def test_no_more_than_asked_for_however_chunks_are_ranked(library: Library, book: Book) -> None:
    ranked = [RankedChunk(chunk, 1.0, None, None) for chunk in chunks_of(library, book)]
    for k in range(1, len(ranked)):
        found = Widener(library.books, everything(library)).passages(ranked, k)
        assert len(found) <= k
        assert found[0].span.contains(ranked[0].chunk.span)
