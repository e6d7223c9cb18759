from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.reading.sections import (
    MAX_SECTION_CHARACTERS,
    MIN_SECTION_CHARACTERS,
    plan_sections,
    section_index,
)
from core.text import Block, BlockKind, Chapter, PlacedBlock, place_blocks

LENGTHS = st.lists(st.integers(1, 9_000), min_size=1, max_size=60)


def paragraphs(lengths: list[int]) -> list[PlacedBlock]:
    return place_blocks(Block(BlockKind.PARAGRAPH, "x" * length, "0") for length in lengths)


def block_at(blocks: list[PlacedBlock], offset: int) -> PlacedBlock | None:
    return next((block for block in blocks if block.start <= offset <= block.end), None)


@given(lengths=LENGTHS, starts=st.sets(st.integers(0, 59), max_size=12))
def test_sections_are_the_whole_book_in_order(lengths: list[int], starts: set[int]) -> None:
    blocks = paragraphs(lengths)
    chapters = [
        Chapter(ordinal, f"Chapter {ordinal}", 1, blocks[index].start)
        for ordinal, index in enumerate(sorted(i for i in starts if i < len(blocks)))
    ]
    end = blocks[-1].end
    sections = plan_sections(chapters, end, lambda offset: block_at(blocks, offset))
    assert sections[0].span.start == 0
    assert sections[-1].span.end == end
    for section, following in pairwise(sections):
        assert section.span.end == following.span.start
        assert len(section.span) > 0


@given(lengths=LENGTHS)
def test_long_chapters_are_cut_where_paragraphs_begin(lengths: list[int]) -> None:
    blocks = paragraphs(lengths)
    sections = plan_sections((), blocks[-1].end, lambda offset: block_at(blocks, offset))
    begins = {block.start for block in blocks}
    assert all(section.span.start in begins for section in sections)
    assert all(len(section.span) <= MAX_SECTION_CHARACTERS + 9_000 for section in sections)


def test_one_block_without_end_is_cut_all_the_same() -> None:
    blocks = paragraphs([10 * MAX_SECTION_CHARACTERS])
    sections = plan_sections((), blocks[-1].end, lambda offset: block_at(blocks, offset))
    assert len(sections) == 10
    assert {section.part_count for section in sections} == {10}
    assert sections[3].label == "Text (4 of 10)"


def test_a_part_title_is_shown_with_its_first_chapter() -> None:
    chapters = [Chapter(0, "Part One", 1, 0), Chapter(1, "I", 2, 20), Chapter(2, "II", 2, 5_000)]
    sections = plan_sections(chapters, 9_000, lambda offset: None)
    assert [(section.title, section.span.start) for section in sections] == [
        ("Part One", 0),
        ("II", 5_000),
    ]
    assert len(sections[1].span) > MIN_SECTION_CHARACTERS


def test_an_offset_belongs_to_one_section() -> None:
    chapters = [Chapter(0, "I", 1, 1_000), Chapter(1, "II", 1, 2_000)]
    sections = plan_sections(chapters, 3_000, lambda offset: None)
    assert [section_index(sections, offset) for offset in (0, 999, 1_000, 2_999, 9_999)] == [
        0,
        0,
        1,
        2,
        2,
    ]
