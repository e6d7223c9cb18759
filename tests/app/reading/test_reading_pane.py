from __future__ import annotations

import asyncio
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from app.reading.contents_popup import ContentsPopup
from app.reading.find_bar import FindBar
from app.theme import Theme
from core.home import Home
from core.persistence.library import open_library
from core.settings import Theme as ThemeChoice
from core.text import Span
from support.shelf import open_shelf, parsed_book, shelve
from support.window import OpenedWindow, opened_window, until

CHAPTERS = [
    (f"Chapter {number}", [f"Line {line} of chapter {number}: the sea was grey. " * 4
                           for line in range(30)])
    for number in range(1, 5)
]  # fmt: skip
BOOK = parsed_book("The Sea", [*CHAPTERS, ("The End", ["A LIGHTHOUSE stood there. " * 40])])
TEXT = BOOK.text


@pytest.fixture
def book_id(home: Home) -> int:
    library = open_shelf(home.root)
    book = shelve(library, BOOK)
    library.close()
    return book.id


async def open_first(opened: OpenedWindow) -> None:
    await until(opened.session.books.books)
    opened.session.reading.open_book(opened.session.books.books()[0].id)
    await until(lambda: shown_title(opened) == "Chapter 1")


def shown_title(opened: OpenedWindow) -> str:
    titles = [
        label.text()
        for label in opened.session.reading.findChildren(QLabel)
        if label.property("tone") == "heading"
    ]
    return titles[0]


def test_chapters_go_by_and_the_place_is_kept(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            actions = opened.window.actions_
            assert not actions["previous_section"].isEnabled()
            actions["next_section"].trigger()
            await until(lambda: shown_title(opened) == "Chapter 2")
            books = opened.postil.library.books
            await until(lambda: books.get(book_id).reading_offset == BOOK.chapters[1].start)
            actions["previous_section"].trigger()
            await until(lambda: shown_title(opened) == "Chapter 1")

    run(story())


def test_the_contents_lead_to_a_chapter(
    run: Any, home: Home, theme: Theme, book_id: int, qtbot: QtBot
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            opened.window.actions_["contents"].trigger()
            popup = opened.session.reading.findChild(ContentsPopup)
            assert isinstance(popup, ContentsPopup)
            field = popup.findChild(QLineEdit)
            assert isinstance(field, QLineEdit)
            qtbot.keyClicks(field, "chap")
            qtbot.keyClick(field, Qt.Key.Key_Down)
            qtbot.keyClick(field, Qt.Key.Key_Down)
            qtbot.keyClick(field, Qt.Key.Key_Return)
            await until(lambda: shown_title(opened) == "Chapter 3")
            assert opened.session.reading.page.first_visible_offset() == BOOK.chapters[2].start

    run(story())


def test_finding_a_phrase_shows_its_places_one_after_the_other(
    run: Any, home: Home, theme: Theme, book_id: int, qtbot: QtBot
) -> None:
    phrase = "lighthouse STOOD"
    first = TEXT.index("LIGHTHOUSE stood")
    second = TEXT.index("LIGHTHOUSE stood", first + 1)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            page = opened.session.reading.page
            opened.window.actions_["find"].trigger()
            bar = opened.session.reading.findChild(FindBar)
            assert isinstance(bar, FindBar)
            field = bar.findChild(QLineEdit)
            qtbot.keyClicks(field, phrase)
            await until(lambda: page.highlighted == Span(first, first + len(phrase)))
            assert shown_title(opened) == "The End"
            assert len(page.extraSelections()) == 41
            opened.window.actions_["find_next"].trigger()
            await until(lambda: page.highlighted == Span(second, second + len(phrase)))
            assert page.text_of(page.highlighted or Span(0, 0)) == "LIGHTHOUSE stood"
            assert any(label.text() == "2 of 40" for label in bar.findChildren(QLabel))
            qtbot.keyClick(field, Qt.Key.Key_Escape)
            assert not bar.isVisible()
            opened.window.actions_["back_to_place"].trigger()
            await until(lambda: shown_title(opened) == "Chapter 1")

    run(story())


def test_larger_text_and_other_colours_keep_the_lines_on_view(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            pane = opened.session.reading
            there = BOOK.chapters[1].start + 2_500
            pane.show_span(book_id, Span(there, there + 20))
            await until(lambda: pane.page.highlighted is not None)
            before = pane.page.document()
            opened.window.actions_["larger_text"].trigger()
            await until(lambda: pane.page.document() is not before and pane.page.highlighted)
            assert pane.page.highlighted == Span(there, there + 20)
            assert pane.page.first_visible_offset() < there < pane.page.last_visible_offset()
            light = pane.page.document()
            opened.window.actions_["theme_dark"].trigger()
            await until(lambda: pane.page.document() is not light and pane.page.highlighted)
            await until(lambda: opened.postil.settings.theme is ThemeChoice.DARK)
            assert pane.page.first_visible_offset() < there < pane.page.last_visible_offset()
            assert opened.postil.settings.font_scale > 1.0

    run(story())


def test_a_book_that_is_removed_leaves_the_page(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            await opened.background.write(opened.postil.remove_book, book_id)
            await until(lambda: opened.session.reading.book_id is None)
            assert opened.session.books.books() == []
            assert opened.window.windowTitle() == "Postil"

    run(story())


def test_leaps_one_after_the_other_end_at_the_last(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            pane = opened.session.reading
            spans = [Span(chapter.start + 9, chapter.start + 30) for chapter in BOOK.chapters]
            for span in [*spans, *reversed(spans), spans[3]]:
                pane.show_span(book_id, span)
                await asyncio.sleep(0.002)
            await until(lambda: pane.page.highlighted == spans[3])
            assert shown_title(opened) == "Chapter 4"
            assert pane.page.text_of(spans[3]) == TEXT[spans[3].start : spans[3].end]

    run(story())


def test_the_place_is_kept_although_the_window_closes_at_once(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> tuple[int, int]:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            page = opened.session.reading.page
            page.verticalScrollBar().setValue(400)
            return page.first_visible_offset(), page.last_visible_offset()

    first, last = run(story())
    library = open_library(home)
    assert first <= library.books.get(book_id).reading_offset < last
    library.close()


def test_a_look_elsewhere_right_after_scrolling_loses_no_place(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            pane = opened.session.reading
            pane.page.verticalScrollBar().setValue(400)
            place = pane.page.first_visible_offset()
            far = BOOK.chapters[3].start
            pane.show_span(book_id, Span(far, far + 9))
            await until(lambda: pane.page.highlighted == Span(far, far + 9))
            opened.window.actions_["back_to_place"].trigger()
            await until(lambda: shown_title(opened) == "Chapter 1")
            await until(lambda: pane.page.first_visible_offset() == place)

    run(story())


def test_finding_begins_with_what_is_selected(
    run: Any, home: Home, theme: Theme, book_id: int
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await open_first(opened)
            page = opened.session.reading.page
            start = TEXT.index("Line 3 of chapter 1")
            cursor = page.textCursor()
            cursor.setPosition(page.position_of(start))
            cursor.setPosition(page.position_of(start + 6), cursor.MoveMode.KeepAnchor)
            page.setTextCursor(cursor)
            opened.window.actions_["find"].trigger()
            field = opened.session.reading.findChild(FindBar).findChild(QLineEdit)
            assert field.text() == "Line 3"
            await until(lambda: page.highlighted == Span(start, start + 6))

    run(story())
