"""The main job in the window: a book dropped in, a question, a click on a quote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.theme import Theme
from core.books import BookStatus
from core.home import Home
from support.epubs import write_with_ebooklib
from support.window import OpenedWindow, opened_window, until

CHAPTERS = (
    (
        "The Harbour",
        "<h1>The Harbour</h1><p>The harbour lay under fog all winter.</p>"
        "<p>Nobody spoke of the lighthouse after the storm took its lamp.</p>" * 6,
    ),
    (
        "The Keeper",
        "<h1>The Keeper</h1>"
        + "<p>Boats came and went, and the nets were mended on the quay.</p>" * 40
        + "<p>The keeper hid the brass key under the seventh stone of the garden wall.</p>"
        + "<p>Rain fell on the roofs of the village for nine days.</p>" * 40,
    ),
)
QUESTION = "Where did the keeper hide the brass key?"
QUOTE = "The keeper hid the brass key under the seventh stone of the garden wall."


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    path = tmp_path / "A Novel & its Author.epub"
    write_with_ebooklib(path, CHAPTERS)
    return path


def drop(opened: OpenedWindow, path: Path) -> None:
    """Drop a file on the window as a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    place, buttons, keys = QPoint(500, 300), Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
    enter = QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(opened.window, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(place), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(opened.window, event)


def test_drop_ask_and_click_a_citation(
    run: Any, home: Home, theme: Theme, novel: Path, qtbot: QtBot
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session = opened.session
            drop(opened, novel)
            await until(lambda: session.reading.book_id is not None, 60)
            assert session.books.books()[0].status in (BookStatus.SEARCHABLE, BookStatus.READY)
            await until(lambda: session.books.books()[0].status is BookStatus.READY, 60)
            (book,) = session.books.books()
            assert book.title == "Made by EbookLib"

            box = session.conversation.composer.box
            box.setPlainText(QUESTION)
            qtbot.keyClick(box, Qt.Key.Key_Return)
            assert session.conversation.busy
            assert box.toPlainText() == ""
            await until(lambda: not session.conversation.busy, 60)
            turn = session.conversation.transcript.turns[-1]
            await until(lambda: turn.cards)
            card = next(c for c in turn.cards if QUOTE in c.place.text)
            qtbot.mouseClick(card, Qt.MouseButton.LeftButton)

            page = session.reading.page
            await until(lambda: page.highlighted == card.place.span)
            shown = page.text_of(card.place.span)
            text = await opened.background.read(
                opened.postil.library.books.text, book.id, card.place.span
            )
            assert shown == text
            assert "brass key" in shown
            assert page.first_visible_offset() < card.place.span.start < page.last_visible_offset()
            assert card.property("current") == "true"

    run(story())


def test_a_second_start_finds_everything_as_it_was(
    run: Any, home: Home, theme: Theme, novel: Path
) -> None:
    async def first() -> None:
        async with opened_window(home, theme) as opened:
            drop(opened, novel)
            await until(lambda: opened.session.reading.book_id is not None, 60)
            await until(lambda: opened.session.books.books()[0].status is BookStatus.READY, 60)
            opened.session.conversation.ask(QUESTION)
            await until(lambda: not opened.session.conversation.busy, 60)
            opened.window.actions_["next_section"].trigger()
            await until(lambda: opened.postil.library.books.all()[0].reading_offset > 0)

    async def second() -> None:
        async with opened_window(home, theme) as opened:
            session = opened.session
            await until(lambda: session.reading.book_id is not None)
            await until(lambda: session.reading.page.first_visible_offset() > 0)
            (turn,) = session.conversation.transcript.turns
            assert turn.question == QUESTION
            assert any("brass key" in card.place.text for card in turn.cards)

    run(first())
    run(second())


def test_a_file_that_is_no_book_says_why_and_stops_nothing(
    run: Any, home: Home, theme: Theme, novel: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.epub"
    torn.write_bytes(b"PK\x03\x04 torn")

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            drop(opened, torn)
            drop(opened, novel)
            await until(lambda: opened.session.reading.book_id is not None, 60)
            await until(lambda: opened.window.toast.words, 20)
            assert "EPUB" in opened.window.toast.words

    run(story())


def test_a_folder_without_books_says_so(run: Any, home: Home, theme: Theme, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"\xff\xd8")

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            drop(opened, folder)
            await until(lambda: opened.window.toast.words)
            assert "no EPUB or text files" in opened.window.toast.words

    run(story())


def test_the_window_comes_up_without_the_heavy_libraries(tmp_path: Path) -> None:
    """What searching and embedding need is loaded later, or the window would be slow to come."""
    import subprocess
    import sys

    code = (
        "import sys, app.main;"
        "heavy = {'onnxruntime', 'fastembed', 'usearch', 'lxml', 'alembic', 'torch', 'sqlalchemy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
