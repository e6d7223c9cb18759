"""What holds of the chunks of any book, and how particular blocks are treated."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.search_text import search_text
from core.text import (
    Block,
    BlockKind,
    BookMetadata,
    Chapter,
    Matter,
    ParsedBook,
    Span,
    place_blocks,
)
from rag.chunking.chunker import (
    CHUNK_LIMIT_TOKENS,
    PARENT_LIMIT_TOKENS,
    ChunkedBook,
    chunk_book,
)
from rag.chunking.tokens import estimate_tokens

SENTENCE = "The quick brown fox jumped over the lazy dog and slept. "


def _book(blocks: list[Block], starts: list[int] | None = None, language: str = "en") -> ParsedBook:
    chapters = tuple(
        Chapter(ordinal, f"Chapter {ordinal}", 1, start)
        for ordinal, start in enumerate(starts or [])
    )
    return ParsedBook(
        BookMetadata("Foxes", language=language), tuple(blocks), chapters, "txt", "x/1"
    )


def _paragraph(text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> Block:
    return Block(kind, text.strip(), "0-0")


def _slices(parsed: ParsedBook, chunked: ChunkedBook) -> list[str]:
    text = parsed.text
    return [text[chunk.span.start : chunk.span.end] for chunk in chunked.chunks]


_words = st.lists(
    st.sampled_from(
        [
            "fox",
            "Dog.",
            "“Why?”",
            "Mr.",
            "ran,",
            "—",
            "世界。",
            "你好",
            "мир!",
            "x" * 400,
            "字" * 90,
        ]
    ),
    min_size=1,
    max_size=150,
).map(" ".join)
_blocks = st.builds(
    Block,
    kind=st.sampled_from(list(BlockKind)),
    text=_words,
    locator=st.just("0-0"),
    matter=st.sampled_from([Matter.BODY, Matter.BODY, Matter.BODY, Matter.FRONT, Matter.LICENCE]),
    language=st.sampled_from([None, "ja", "fr"]),
)
_books = st.builds(
    lambda blocks, places: _book(
        blocks, sorted(int(place * len(_book(blocks).text)) for place in places)
    ),
    st.lists(_blocks, max_size=25),
    st.lists(st.floats(0, 0.999), max_size=6),
)


@settings(deadline=None)
@given(_books)
def test_chunks_are_bounded_stripped_ordered_slices(parsed: ParsedBook) -> None:
    chunked = chunk_book(parsed)
    for spans in ([c.span for c in chunked.chunks], [p.span for p in chunked.parents]):
        assert all(a.end <= b.start for a, b in pairwise(spans))
    for slice_ in _slices(parsed, chunked):
        assert slice_
        assert slice_ == slice_.strip()
        assert estimate_tokens(slice_) <= CHUNK_LIMIT_TOKENS + 1
    for parent in chunked.parents:
        size = estimate_tokens(parsed.text[parent.span.start : parent.span.end])
        assert size <= PARENT_LIMIT_TOKENS + 1
    assert [chunk.ordinal for chunk in chunked.chunks] == list(range(len(chunked.chunks)))
    assert [parent.ordinal for parent in chunked.parents] == list(range(len(chunked.parents)))


@settings(deadline=None)
@given(_books)
def test_every_chunk_fills_its_share_of_one_parent(parsed: ParsedBook) -> None:
    chunked = chunk_book(parsed)
    for parent in chunked.parents:
        children = [c for c in chunked.chunks if c.parent_ordinal == parent.ordinal]
        assert children[0].span.start == parent.span.start
        assert children[-1].span.end == parent.span.end
        assert parent.search_text == " ".join(child.search_text for child in children)


@settings(deadline=None)
@given(_books)
def test_chunks_hold_all_of_the_body_and_nothing_else(parsed: ParsedBook) -> None:
    chunked = chunk_book(parsed)
    body = "".join(block.text for block in parsed.blocks if block.matter is Matter.BODY)
    assert "".join("".join(_slices(parsed, chunked)).split()) == "".join(body.split())
    assert chunked.chunk_character_count == sum(map(len, _slices(parsed, chunked)))


@settings(deadline=None)
@given(_books)
def test_nothing_crosses_a_chapter_other_matter_or_the_edge_of_the_notes(
    parsed: ParsedBook,
) -> None:
    chunked = chunk_book(parsed)
    placed = place_blocks(parsed.blocks)
    for span in [p.span for p in chunked.parents] + [c.span for c in chunked.chunks]:
        assert not any(span.start < chapter.start < span.end for chapter in parsed.chapters)
        inside = [block.block for block in placed if block.span.overlaps(span)]
        assert {block.matter for block in inside} == {Matter.BODY}
        assert len({block.kind is BlockKind.NOTE for block in inside}) == 1


def test_a_heading_stays_with_what_follows() -> None:
    parsed = _book(
        [
            _paragraph(SENTENCE * 5),
            _paragraph("Of Dogs", BlockKind.HEADING),
            _paragraph("A Short History", BlockKind.HEADING),
            _paragraph(SENTENCE * 9),
        ]
    )
    with_heading = [slice_ for slice_ in _slices(parsed, chunk_book(parsed)) if "Of Dogs" in slice_]
    assert with_heading[0].startswith("Of Dogs\nA Short History\nThe quick")


def test_lines_of_dialogue_and_verse_are_merged() -> None:
    for kind in (BlockKind.PARAGRAPH, BlockKind.VERSE):
        parsed = _book([_paragraph("“No,” said the fox.", kind)] * 40)
        sizes = [estimate_tokens(slice_) for slice_ in _slices(parsed, chunk_book(parsed))]
        assert min(sizes) > 40


def test_chunks_end_with_sentences_where_they_can() -> None:
    parsed = _book([_paragraph(SENTENCE * 100)])
    assert all(slice_.endswith("slept.") for slice_ in _slices(parsed, chunk_book(parsed)))


def test_a_long_sentence_is_cut_after_its_commas() -> None:
    parsed = _book([_paragraph("and then the fox went on his way, " * 60 + "home.")])
    assert all(slice_.endswith((",", ".")) for slice_ in _slices(parsed, chunk_book(parsed)))


def test_sizes_follow_the_script() -> None:
    english = _book([_paragraph(SENTENCE * 200)])
    chinese = _book(
        [_paragraph("北冥有鱼，其名为鲲。鲲之大，不知其几千里也。" * 200)], language="zh"
    )
    for parsed, low, high in ((english, 230, 310), (chinese, 50, 80)):
        slices = _slices(parsed, chunk_book(parsed))
        assert low < sum(map(len, slices)) / len(slices) < high


def test_titles_are_those_of_the_book_and_the_chapter() -> None:
    blocks = [_paragraph(SENTENCE * 3), _paragraph(SENTENCE * 3)]
    first, second = chunk_book(_book(blocks, [0, len(blocks[0].text) + 1])).parents
    assert first.title_text != second.title_text
    assert first.span == Span(0, len(blocks[0].text))


def test_a_book_without_body_has_no_chunks() -> None:
    assert chunk_book(_book([])) == ChunkedBook((), ())


def test_titles_follow_the_levels_of_the_contents() -> None:
    blocks = [_paragraph(SENTENCE * 3)] * 4
    size = len(blocks[0].text) + 1
    chapters = (
        Chapter(0, "Alpha", 1, 0),
        Chapter(1, "Beta", 2, size),
        Chapter(2, "Gamma", 2, 2 * size),
        Chapter(3, "Delta", 1, 3 * size),
    )
    parsed = ParsedBook(BookMetadata("Foxes", language="en"), tuple(blocks), chapters, "txt", "x/1")
    expected = ["Foxes Alpha", "Foxes Alpha Beta", "Foxes Alpha Gamma", "Foxes Delta"]
    assert [parent.title_text for parent in chunk_book(parsed).parents] == [
        search_text(titles, "en") for titles in expected
    ]


@pytest.mark.parametrize(
    "text", ["." * 300_000, "A" * 300_000, "?," * 150_000, "!" * 300_000 + "x"]
)
def test_odd_blocks_take_linear_time(text: str) -> None:
    started = time.process_time()
    chunked = chunk_book(_book([Block(BlockKind.PARAGRAPH, text, "0-0")]))
    assert chunked.chunk_character_count == len(text)
    assert time.process_time() - started < 5  # a quadratic cut would take minutes
