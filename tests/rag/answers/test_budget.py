"""Excerpts and what of them a model is sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.books import Book
from core.scope import Scope
from core.text import Span
from rag.answers.budget import estimate_tokens, fit, fit_history
from rag.answers.events import Turn
from rag.answers.expand import MAX_EXCERPT_CHARACTERS, Excerpt, expand
from rag.answers.shelf import Shelf
from rag.passages import Passage
from support.answering import MOBY_DICK, Desk, open_desk
from support.shelf import parsed_book, shelve


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def book(desk: Desk) -> Book:
    return shelve(desk.library, parsed_book("Moby-Dick", MOBY_DICK))


def passage(book: Book, text: str, span: Span) -> Passage:
    return Passage(book.id, book.title, "", span, text[span.start : span.end], 1.0)


def test_excerpts_are_slices_with_whole_paragraphs_of_one_chapter(desk: Desk, book: Book) -> None:
    text = desk.library.books.text(book.id)
    start = text.index("It’s a white whale")
    (excerpt,) = expand(
        [passage(book, text, Span(start, start + 40))], Shelf(desk.library.books, Scope.library())
    )
    assert excerpt.text == text[excerpt.span.start : excerpt.span.end]
    assert excerpt.text.startswith("“It’s")
    assert excerpt.text.endswith("white water.”")
    assert excerpt.chapter == "The Quarter-Deck"
    assert "Loomings" not in excerpt.text
    assert "The Chase" not in excerpt.text


def test_excerpts_never_pass_the_boundary(desk: Desk, book: Book) -> None:
    text = desk.library.books.text(book.id)
    start = text.index("It’s a white whale")
    up_to = start + 50
    shelf = Shelf(desk.library.books, Scope.book(book.id, up_to))
    (excerpt,) = expand([passage(book, text, Span(start, start + 40))], shelf)
    assert excerpt.span.end <= up_to
    assert excerpt.text == text[excerpt.span.start : excerpt.span.end]


def test_excerpts_come_in_book_order_and_never_overlap(desk: Desk) -> None:
    paragraphs = [f"Paragraph number {n} of a long chapter about lamps. " * 5 for n in range(30)]
    book = shelve(desk.library, parsed_book("Lamps", [("One", [p.strip() for p in paragraphs])]))
    text = desk.library.books.text(book.id)
    spans = [Span(start, start + 600) for start in (5000, 100, 700, 1300, 1900, 2500, 3100)]
    excerpts = expand(
        [passage(book, text, span) for span in spans], Shelf(desk.library.books, Scope.library())
    )
    assert all(len(excerpt.text) <= MAX_EXCERPT_CHARACTERS for excerpt in excerpts)
    assert all(before.span.end <= after.span.start for before, after in pairwise(excerpts))
    for span in spans:
        covered = sum(
            max(0, min(span.end, e.span.end) - max(span.start, e.span.start)) for e in excerpts
        )
        assert covered >= len(span) - 5, "nothing but white space between excerpts is lost"


def excerpt_of(rank: int, size: int) -> Excerpt:
    return Excerpt(1, "One", Span(rank * 10_000, rank * 10_000 + size), "x" * size, rank)


@given(st.lists(st.integers(1, 3000), max_size=15), st.integers(512, 16_000))
def test_what_is_sent_fits_and_the_rest_is_told(sizes: list[int], context_tokens: int) -> None:
    excerpts = [excerpt_of(rank, size) for rank, size in enumerate(sizes)]
    fixed = "You answer questions. Question: Who?"
    if excerpts and context_tokens < 2000:
        return
    budget = fit(excerpts, context_tokens, fixed)
    assert sorted([*budget.excerpts, *budget.left_out], key=lambda e: e.rank) == excerpts
    used = sum(estimate_tokens(excerpt.text) for excerpt in budget.excerpts)
    assert used + budget.answer_tokens + estimate_tokens(fixed) <= context_tokens


def test_the_latest_turns_are_kept_as_far_as_they_fit() -> None:
    turns = [Turn(f"Question {n}?", "An answer of some length. " * 8) for n in range(5)]
    kept = fit_history(turns, 1024)
    assert kept == tuple(turns[-len(kept) :])
    assert 0 < len(kept) < len(turns)
    assert fit_history(turns, 100_000) == tuple(turns)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["llama3", "qwen2.5"])
def test_the_estimate_is_not_too_low_for_real_vocabularies(corpus: Path, name: str) -> None:
    from tokenizers import Tokenizer

    file = corpus / "models" / "tokenizers" / name / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    for book in sorted((corpus / "txt").glob("??/*.txt")):
        try:
            text = book.read_text("utf-8")[20_000:23_000]
        except UnicodeDecodeError:
            continue  # other encodings are the parser's business
        assert estimate_tokens(text) >= len(tokenizer.encode(text).ids), book.name
