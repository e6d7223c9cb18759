"""Word search: the contract, and BM25 scores against the formula."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from contracts.lexical_index import LexicalIndexContract
from hypothesis import given, settings
from hypothesis import strategies as st

from core.books import Chunk, IdRange, ParentChunk
from core.home import Home
from core.persistence import lexical as sql_lexical
from core.persistence.library import Library, open_library
from core.ports import LexicalIndex, TextSummary
from core.text import Block, BlockKind, BookMetadata, Span, place_blocks
from support.bm25 import InMemoryLexicalIndex, Row


def fill_library(
    library: Library, chunks: Sequence[str], parents: Sequence[tuple[str, str]]
) -> LexicalIndex:
    """Store one book whose chunks and parents have exactly this search text."""
    placed = place_blocks([Block(BlockKind.PARAGRAPH, "x" * 100, "0")])
    book, _ = library.books.add("hash", "book.txt", "A Book", "txt")
    parents = parents or [("", "")]
    library.books.begin_text(
        book.id,
        TextSummary(
            BookMetadata("A Book"), "txt", "test/1", (), 100, 1, len(parents), len(chunks), 100
        ),
    )
    library.books.append_blocks(book.id, placed)
    library.books.append_parents(
        book.id,
        [ParentChunk(n, Span(0, 100), text, title) for n, (title, text) in enumerate(parents)],
    )
    library.books.append_chunks(
        book.id, [Chunk(n, Span(n, n + 1), 0, text) for n, text in enumerate(chunks)]
    )
    library.books.finish_text(book.id)
    return library.lexical


def in_memory(chunks: Sequence[str], parents: Sequence[tuple[str, str]]) -> LexicalIndex:
    return InMemoryLexicalIndex(
        {
            "chunk": {n: Row((text.split(),), (1.0,)) for n, text in enumerate(chunks, 1)},
            "parent": {
                n: Row((title.split(), text.split()), (sql_lexical.TITLE_WEIGHT, 1.0))
                for n, (title, text) in enumerate(parents, 1)
            },
        }
    )


class TestSqlLexicalIndex(LexicalIndexContract):
    @pytest.fixture(autouse=True)
    def _open(self, library: Library) -> None:
        self._library = library

    def fill(self, chunks: Sequence[str], parents: Sequence[tuple[str, str]]) -> LexicalIndex:
        return fill_library(self._library, chunks, parents)


class TestInMemoryLexicalIndex(LexicalIndexContract):
    def fill(self, chunks: Sequence[str], parents: Sequence[tuple[str, str]]) -> LexicalIndex:
        return in_memory(chunks, parents)


WORDS = st.sampled_from(["whale", "sea", "ship", "ahab", "鲸鱼", "मछली", "кит", "the"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=12)
TERMS = st.lists(
    st.one_of(WORDS, st.lists(WORDS, min_size=2, max_size=3).map(" ".join)),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=20, deadline=None)
@given(chunks=TEXTS, parents=st.lists(st.tuples(WORDS, WORDS), min_size=1), terms=TERMS)
def test_scores_are_bm25(
    chunks: list[str], parents: list[tuple[str, str]], terms: list[str]
) -> None:
    with TemporaryDirectory() as folder:
        library = open_library(Home(Path(folder)))
        index = fill_library(library, chunks, parents)
        oracle = in_memory(chunks, parents)
        for level in ("chunk", "parent"):
            found = dict(index.search(terms, None, 99, level))
            assert found == pytest.approx(dict(oracle.search(terms, None, 99, level)))
            assert index.ceiling(terms, level) == pytest.approx(oracle.ceiling(terms, level))
        library.close()


@pytest.mark.parametrize("ranges", [None, [IdRange(1, 900)], [IdRange(1, 40), IdRange(60, 900)]])
def test_frequent_words_still_count_in_a_large_scope(
    library: Library, monkeypatch: pytest.MonkeyPatch, ranges: list[IdRange] | None
) -> None:
    monkeypatch.setattr(sql_lexical, "_LARGE_SCOPE", 100)
    texts = [
        " ".join(["ship"] * (n % 3 == 0) + ["whale"] * (n % 40 == 0) + ["sea"] * (n % 7 + 1))
        for n in range(900)
    ]
    index = fill_library(library, texts, [])
    found = index.search(["ship", "whale"], ranges, 10, "chunk")
    oracle = in_memory(texts, []).search(["ship", "whale"], ranges, 10, "chunk")
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in oracle])
    assert all("whale" in texts[hit.id - 1] for hit in found)


def test_a_frequent_word_alone_is_searched(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_lexical, "_LARGE_SCOPE", 10)
    index = fill_library(library, ["whale"] * 30 + ["sea ahab"] + ["sea"] * 29, [])
    assert len(index.search(["whale"], None, 50, "chunk")) == 30
    # One row holds the rarer word, fewer than asked for: the others come too.
    assert len(index.search(["whale", "ahab"], None, 50, "chunk")) == 31


def test_thousands_of_terms_are_no_error(library: Library) -> None:
    index = fill_library(library, ["whale", "sea"], [])
    terms = [f"term{n}" for n in range(5000)] + ["whale"]
    assert [hit.id for hit in index.search(terms, None, 5, "chunk")] == [1]
