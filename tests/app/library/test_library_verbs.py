from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from app.library.details_dialog import DetailsDialog
from app.library.pane import BookList
from app.theme import Theme
from core.books import BookStatus
from core.home import Home
from support.ingest import write_novel
from support.shelf import open_shelf, parsed_book, shelve
from support.window import OpenedWindow, opened_window, until

TITLES = ("Alpha", "Beta", "Gamma")


def shelve_books(home: Home) -> None:
    library = open_shelf(home.root)
    for title in TITLES:
        shelve(library, parsed_book(title, [("One", [f"The text of {title}. " * 20])]))
    library.close()


def book_list(opened: OpenedWindow) -> BookList:
    found = opened.session.library.findChild(BookList)
    assert isinstance(found, BookList)
    return found


def titles(opened: OpenedWindow) -> list[str]:
    rows = book_list(opened).model()
    return [rows.index(row, 0).data() for row in range(rows.rowCount())]


def test_the_filter_narrows_and_says_how_much(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(titles(opened)) == 3)
            opened.window.actions_["focus_filter"].trigger()
            field = opened.session.library.findChild(QLineEdit)
            qtbot.keyClicks(field, "bet")
            await until(lambda: titles(opened) == ["Beta"])
            labels = [label.text() for label in opened.session.library.findChildren(QLabel)]
            assert "1 of 3 books" in labels
            qtbot.keyClicks(field, "xyz")
            await until(lambda: titles(opened) == [])

    run(story())


def test_enter_reads_and_details_tell(run: Any, home: Home, theme: Theme, qtbot: QtBot) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(titles(opened)) == 3)
            book = opened.session.books.books()[0]
            opened.session.library.select_book(book.id)
            qtbot.keyClick(book_list(opened), Qt.Key.Key_Return)
            await until(lambda: opened.session.reading.book_id == book.id)
            opened.window.actions_["book_details"].trigger()
            (dialog,) = opened.window.findChildren(DetailsDialog)
            words = [label.text() for label in dialog.findChildren(QLabel)]
            assert "Alpha" in words
            assert "A. Writer" in words
            dialog.close()

    run(story())


def test_a_failed_book_can_be_tried_again(
    run: Any, home: Home, theme: Theme, tmp_path: Path
) -> None:
    path = tmp_path / "book.txt"
    path.write_text("", encoding="utf-8")

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session = opened.session
            opened.window.filesDropped.emit([path])
            await until(lambda: opened.window.toast.words, 60)
            await until(lambda: session.jobs.summary.failed == 1)
            assert session.jobs.summary.active == 0
            write_novel(path, seed=1)
            opened.window.filesDropped.emit([path])
            await until(
                lambda: (
                    any(b.status is BookStatus.SEARCHABLE for b in session.books.books())
                    or any(b.status is BookStatus.READY for b in session.books.books())
                ),
                60,
            )

    run(story())


def test_the_guide_is_one_click_away_and_only_added_once(
    run: Any, home: Home, theme: Theme
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            for _ in range(2):
                opened.window.actions_["user_guide"].trigger()
                await until(lambda: opened.session.reading.book_id is not None, 60)
                opened.session.reading.close_book()
            opened.window.actions_["user_guide"].trigger()
            await until(lambda: opened.session.reading.book_id is not None, 60)
            assert len(opened.postil.library.books.all()) == 1

    run(story())


def test_delete_removes_books_only_in_the_list(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(titles(opened)) == 3)
            opened.window.activateWindow()
            book = opened.session.books.books()[0]
            opened.session.library.select_book(book.id)
            opened.session.reading.open_book(book.id)
            await until(lambda: opened.session.reading.book_id == book.id)
            page, books = opened.session.reading.page, book_list(opened)
            page.setFocus()
            qtbot.keyClick(page, Qt.Key.Key_Delete)
            assert len(titles(opened)) == 3
            books.setFocus()
            qtbot.keyClick(books, Qt.Key.Key_Delete)
            assert len(titles(opened)) == 2

    run(story())
