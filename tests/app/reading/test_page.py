from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot

from app.reading.page import Page
from app.reading.sections import plan_sections
from app.reading.typography import PageStyle
from app.theme import DARK, LIGHT
from core.text import BLOCK_SEPARATOR, Block, BlockKind, Matter, PlacedBlock, Span, place_blocks
from rag.parsing.formats import parse_book

STYLE = PageStyle(18.0, LIGHT)
KINDS = list(BlockKind)
BOOKS = (
    "epub/standardebooks/walt-whitman_leaves-of-grass.epub",
    "epub/standardebooks/ambrose-bierce_the-devils-dictionary.epub",
    "txt/zh",
    "txt/ja",
)


@pytest.fixture
def page(qtbot: QtBot, theme: object) -> Iterator[Page]:
    page = Page()
    page.resize(700, 800)
    page.show()
    yield page
    page.close()
    page.deleteLater()


def mixed_blocks(count: int, *, seed: int = 1) -> list[PlacedBlock]:
    chance = random.Random(seed)
    words = [
        "whale",
        "鯨",
        "кит",
        "naïve",
        "😀",
        "שלום",
        "sea",
        "of",
        "海",
        "letters—and",
        "“quotes”",
        "é\ufdd0",
        "dash",
    ]
    return place_blocks(
        Block(
            chance.choice(KINDS),
            " ".join(chance.choices(words, k=chance.randint(1, 60))),
            str(number),
            level=chance.randint(0, 3),
            matter=chance.choice(list(Matter)),
        )
        for number in range(count)
    )


def text_of(blocks: list[PlacedBlock]) -> str:
    return BLOCK_SEPARATOR.join(placed.block.text for placed in blocks)


def check_round_trips(page: Page, text: str, section: Span, chance: random.Random) -> None:
    for _ in range(40):
        start = chance.randint(section.start, section.end - 1)
        span = Span(start, chance.randint(start + 1, min(section.end, start + 400)))
        expected = text[span.start : span.end].replace("\ufdd0", "\ufffd")
        if expected.strip(BLOCK_SEPARATOR) == "":
            continue
        assert page.text_of(span) == expected
        cursor = QTextCursor(page.document())
        cursor.setPosition(page.position_of(span.start))
        cursor.setPosition(page.position_of(span.end), QTextCursor.MoveMode.KeepAnchor)
        page.setTextCursor(cursor)
        assert page.selected_span() == span


def test_spans_and_selections_round_trip_for_every_kind_of_block(page: Page, run: Any) -> None:
    blocks = mixed_blocks(120)
    whole = Span(0, blocks[-1].end)
    run(page.show_blocks(blocks, whole, STYLE))
    check_round_trips(page, text_of(blocks), whole, random.Random(2))


def test_a_section_that_begins_inside_a_block_round_trips(page: Page, run: Any) -> None:
    blocks = mixed_blocks(30)
    section = Span(blocks[4].start + 7, blocks[20].end - 3)
    shown = [block for block in blocks if block.span.overlaps(section)]
    run(page.show_blocks(shown, section, STYLE))
    check_round_trips(page, text_of(blocks), section, random.Random(3))


@pytest.mark.corpus
@pytest.mark.parametrize("name", BOOKS)
def test_real_books_round_trip(page: Page, run: Any, corpus: Path, name: str) -> None:
    path = corpus / name
    if path.is_dir():
        path = min(path.glob("*.txt"), key=lambda one: one.stat().st_size)
    parsed = parse_book(path, name=path.name)
    blocks = place_blocks(parsed.blocks)
    text = parsed.text

    def block_at(offset: int) -> PlacedBlock | None:
        return next((block for block in blocks if block.start <= offset <= block.end), None)

    chance = random.Random(4)
    sections = plan_sections(parsed.chapters, len(text), block_at)
    for section in chance.sample(sections, min(4, len(sections))):
        shown = [block for block in blocks if block.span.overlaps(section.span)]
        run(page.show_blocks(shown, section.span, STYLE))
        check_round_trips(page, text, section.span, chance)


def test_a_highlight_stands_in_the_middle_of_the_page(page: Page, run: Any) -> None:
    blocks = mixed_blocks(200)
    run(page.show_blocks(blocks, Span(0, blocks[-1].end), STYLE))
    span = Span(blocks[120].start, blocks[120].end)
    page.highlight(span)
    page.scroll_to_middle(span)
    assert page.highlighted == span
    (mark,) = page.extraSelections()
    assert mark.format.background().color().name() == LIGHT.highlight
    assert page.first_visible_offset() < span.start < page.last_visible_offset()
    page_px = page.viewport().height()
    cursor = QTextCursor(mark.cursor)
    cursor.setPosition(mark.cursor.selectionStart())
    top = page.cursorRect(cursor).top()
    cursor.setPosition(mark.cursor.selectionEnd())
    bottom = page.cursorRect(cursor).bottom()
    assert abs((top + bottom) / 2 - page_px / 2) < page_px / 10


def test_no_slice_of_a_full_section_holds_the_loop_up(page: Page, run: Any) -> None:
    """Not a benchmark: only that the work is cut up at all, whatever the machine is at."""
    blocks = place_blocks(Block(BlockKind.PARAGRAPH, "word " * 80, "0") for _ in range(300))

    async def show() -> int:
        import asyncio

        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        await page.show_blocks(blocks, Span(0, blocks[-1].end), STYLE)
        counting.cancel()
        return turns

    began = time.perf_counter()
    turns = run(show())
    assert turns >= (time.perf_counter() - began) / 0.25


def test_paging_past_the_end_turns_to_the_next_section(page: Page, run: Any, qtbot: QtBot) -> None:
    blocks = mixed_blocks(60)
    run(page.show_blocks(blocks, Span(0, blocks[-1].end), PageStyle(18.0, DARK)))
    turned: list[int] = []
    page.turned.connect(turned.append)
    qtbot.keyClick(page, Qt.Key.Key_PageUp)
    assert turned == [-1]
    bar = page.verticalScrollBar()
    presses = 0
    while len(turned) == 1 and presses < 500:
        qtbot.keyClick(page, Qt.Key.Key_Space)
        presses += 1
    assert turned == [-1, 1]
    assert bar.value() == bar.maximum()
    assert presses > 2


def test_a_marked_passage_stays_on_view_when_the_page_gets_narrow(page: Page, run: Any) -> None:
    blocks = mixed_blocks(200)
    run(page.show_blocks(blocks, Span(0, blocks[-1].end), STYLE))
    span = Span(blocks[150].start, blocks[150].end)
    page.highlight(span)
    page.scroll_to_middle(span)
    page.resize(380, 500)
    assert page.first_visible_offset() <= span.start <= page.last_visible_offset()


def test_the_first_line_stays_on_view_when_the_page_gets_narrow(page: Page, run: Any) -> None:
    blocks = mixed_blocks(200)
    run(page.show_blocks(blocks, Span(0, blocks[-1].end), STYLE))
    page.scroll_to(blocks[150].start)
    page.resize(380, 500)
    assert page.first_visible_offset() == blocks[150].start
