from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)

from app.theme import Theme
from core.home import Home
from support.shelf import open_shelf, parsed_book, shelve
from support.window import OpenedWindow, opened_window, until


def name_of(widget: QWidget) -> str:
    if isinstance(widget, QAbstractButton) and widget.text():
        return widget.text()
    return widget.accessibleName()


def reachable(opened: OpenedWindow) -> list[QWidget]:
    return [
        widget
        for widget in opened.window.findChildren(QWidget)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and isinstance(widget, QAbstractButton | QAbstractScrollArea | QLineEdit)
        and not isinstance(widget, QScrollBar)
        and widget.objectName() != "qt_toolbar_ext_button"
    ]


def test_everything_that_takes_the_focus_has_a_name(run: Any, home: Home, theme: Theme) -> None:
    library = open_shelf(home.root)
    shelve(library, parsed_book("A Book", [("One", ["Some words of the text. " * 20])]))
    library.close()

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(opened.session.books.books)
            opened.session.reading.open_book(opened.session.books.books()[0].id)
            await until(lambda: opened.session.reading.book_id is not None)
            opened.session.conversation.ask("Which words?")
            await until(lambda: not opened.session.conversation.busy, 60)
            nameless = [widget for widget in reachable(opened) if not name_of(widget).strip()]
            assert nameless == []
            assert len(reachable(opened)) > 15

    run(story())


def test_words_from_books_and_endpoints_are_plain_text(run: Any, home: Home, theme: Theme) -> None:
    hostile = "<img src='http://example.org/x.png'><b>Title</b>"
    library = open_shelf(home.root)
    shelve(library, parsed_book(hostile, [(hostile, [f"{hostile} the keeper hid a key. " * 5])]))
    library.close()

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(opened.session.books.books)
            opened.session.reading.open_book(opened.session.books.books()[0].id)
            await until(lambda: opened.session.reading.book_id is not None)
            opened.session.conversation.ask(f"{hostile} Who hid the key?")
            await until(lambda: not opened.session.conversation.busy, 60)
            rich = [
                label
                for label in opened.window.findChildren(QLabel)
                if "<img" in label.text() and label.textFormat() != Qt.TextFormat.PlainText
            ]
            assert rich == []

    run(story())


def test_narrow_windows_fold_the_library_away_and_back(run: Any, home: Home, theme: Theme) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            opened.window.resize(800, 700)
            await until(lambda: not opened.session.library.isVisible())
            opened.window.resize(1300, 700)
            await until(opened.session.library.isVisible)

    run(story())
