from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QDialog,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.theme import Theme
from core.home import Home
from support.shelf import open_shelf, parsed_book, shelve
from support.window import OpenedWindow, opened_window, until


def name_of(widget: QWidget) -> str:
    if isinstance(widget, QAbstractButton) and widget.text():
        return widget.text()
    return widget.accessibleName()


def words_of(button: QAbstractButton) -> str:
    return f"{type(button).__name__} {button.text() or button.accessibleName()}"


def buttons(window: QWidget) -> list[QAbstractButton]:
    """The buttons of the window itself, not those that Qt puts into its own widgets."""
    return [
        button
        for button in window.findChildren(QAbstractButton)
        if not button.objectName().startswith("qt_")
        and not isinstance(button.parent(), QLineEdit | QAbstractScrollArea)
    ]


def focusable(parent: QWidget) -> list[QWidget]:
    return [
        widget
        for widget in parent.findChildren(QWidget)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and isinstance(widget, QAbstractButton | QAbstractItemView | QLineEdit | QAbstractSpinBox)
        and widget.objectName() != "qt_spinbox_lineedit"
    ]


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


def test_every_button_says_what_it_does(run: Any, home: Home, theme: Theme) -> None:
    """In the window and in every dialog: a tooltip, and a name for those who do not see it."""
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
            silent = {words_of(one) for one in buttons(opened.window) if not one.toolTip()}
            assert silent == set()
            opened.session.library.select_book(opened.session.books.books()[0].id)
            for name in (
                "endpoints",
                "local_models",
                "shortcuts",
                "embedding_model",
                "book_details",
            ):
                opened.window.actions_[name].trigger()
                (dialog,) = opened.window.findChildren(QDialog)
                await until(dialog.isVisible)
                nameless = [one for one in focusable(dialog) if not name_of(one).strip()]
                assert nameless == [], name
                dialog.close()
                await until(lambda: not opened.window.findChildren(QDialog))

    run(story())


def test_tab_goes_from_the_library_over_the_page_to_the_question(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    library = open_shelf(home.root)
    shelve(library, parsed_book("A Book", [("One", ["Some words of the text. " * 20])]))
    library.close()

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session = opened.session
            await until(session.books.books)
            session.reading.open_book(session.books.books()[0].id)
            await until(lambda: session.reading.book_id is not None)
            opened.window.activateWindow()
            opened.window.actions_["focus_filter"].trigger()
            passed: list[str] = []
            for _ in range(40):
                focused = opened.window.focusWidget()
                for pane in (session.library, session.reading, session.conversation):
                    if pane.isAncestorOf(focused) and passed[-1:] != [pane.objectName()]:
                        passed.append(pane.objectName())
                if focused is session.conversation.composer.box:
                    break
                qtbot.keyClick(focused, Qt.Key.Key_Tab)
            assert passed == ["libraryPane", "readingPane", "conversationPane"]
            assert opened.window.focusWidget() is session.conversation.composer.box

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
