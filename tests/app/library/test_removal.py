from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.theme import Theme
from core.books import Book, BookStatus
from core.errors import NotFoundError
from core.home import Home
from core.scope import Scope
from support.ingest import write_novel
from support.shelf import open_shelf, parsed_book, shelve
from support.window import OpenedWindow, opened_window, until

TITLES = ("Alpha", "Beta", "Gamma")
QUESTION = "Where did the keeper hide the brass key?"
ANSWER = "The keeper hid the brass key under the seventh stone of the garden wall."


def shelve_books(home: Home) -> None:
    library = open_shelf(home.root)
    for title in TITLES:
        paragraphs = [f"Paragraph {number} tells of {title}. " * 12 for number in range(60)]
        if title == "Beta":
            paragraphs.insert(5, ANSWER)
        shelve(library, parsed_book(title, [("One", paragraphs)]))
    library.close()


def shown(opened: OpenedWindow) -> set[str]:
    return {book.title for book in opened.session.books.books()}


def stored(opened: OpenedWindow) -> dict[str, Book]:
    return {book.title: book for book in opened.postil.library.books.all()}


def choose_and_remove(opened: OpenedWindow, title: str) -> None:
    opened.session.library.select_book(stored(opened)[title].id)
    opened.window.actions_["remove_books"].trigger()


def test_undo_brings_back_the_book_its_place_and_its_conversation(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session = opened.session
            await until(lambda: len(shown(opened)) == 3)
            await until(lambda: stored(opened)["Beta"].status is BookStatus.READY, 60)
            before = stored(opened)["Beta"]
            session.reading.open_book(before.id)
            await until(lambda: session.reading.book_id == before.id)
            session.conversation.ask(QUESTION)
            await until(lambda: not session.conversation.busy, 60)
            (turn,) = session.conversation.transcript.turns
            assert turn.cards, turn.text
            page = session.reading.page
            page.verticalScrollBar().setValue(page.verticalScrollBar().maximum() // 2)
            place = page.first_visible_offset()
            assert place > 0

            choose_and_remove(opened, "Beta")
            assert shown(opened) == {"Alpha", "Gamma"}
            assert session.reading.book_id is None
            assert opened.window.undo_toast.words == "Removed “Beta” from the library."
            assert opened.window.undo_toast.isVisible()

            opened.window.actions_["undo_removal"].trigger()
            await until(lambda: session.reading.book_id == before.id)
            await until(lambda: page.first_visible_offset() == place)
            assert shown(opened) == set(TITLES)
            assert not opened.window.undo_toast.isVisible()
            assert not opened.window.actions_["undo_removal"].isEnabled()
            after = stored(opened)["Beta"]
            assert after.reading_offset == place
            card = turn.cards[0]
            qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
            await until(lambda: page.highlighted == card.place.span)
            assert opened.postil.retriever.search(QUESTION, Scope.book(before.id))

    run(story())


def test_books_removed_one_after_the_other_come_back_together(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(shown(opened)) == 3)
            choose_and_remove(opened, "Alpha")
            choose_and_remove(opened, "Gamma")
            assert opened.window.undo_toast.words == "Removed 2 books from the library."
            buttons = opened.window.undo_toast.findChildren(QPushButton)
            (undo,) = [button for button in buttons if button.text() == "Undo"]
            assert "Ctrl+Z" in undo.toolTip()
            qtbot.mouseClick(undo, Qt.MouseButton.LeftButton)
            await until(lambda: shown(opened) == set(TITLES))
            assert set(stored(opened)) == set(TITLES)

    run(story())


def test_when_the_note_goes_the_books_are_removed_for_good(
    run: Any, home: Home, theme: Theme
) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(shown(opened)) == 3)
            choose_and_remove(opened, "Beta")
            assert set(stored(opened)) == set(TITLES)
            opened.window.undo_toast.dismiss()
            await until(lambda: set(stored(opened)) == {"Alpha", "Gamma"})
            await until(lambda: not opened.window.actions_["undo_removal"].isEnabled())

    run(story())


def test_closing_the_window_removes_for_good_and_a_crash_does_not(
    run: Any, home: Home, theme: Theme
) -> None:
    shelve_books(home)

    async def close() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(shown(opened)) == 3)
            choose_and_remove(opened, "Beta")
            # What another process sees now is what a crash would leave.
            assert set(stored(opened)) == set(TITLES)

    run(close())
    library = open_shelf(home.root)
    assert {book.title for book in library.books.all()} == {"Alpha", "Gamma"}
    library.close()


def test_a_removed_book_answers_nothing(run: Any, home: Home, theme: Theme) -> None:
    shelve_books(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            await until(lambda: len(shown(opened)) == 3)
            beta = stored(opened)["Beta"].id
            choose_and_remove(opened, "Beta")
            opened.session.conversation.ask(QUESTION)
            await until(lambda: not opened.session.conversation.busy, 60)
            cards = opened.session.conversation.transcript.turns[-1].cards
            assert beta not in {card.place.book_id for card in cards}

    run(story())


def test_adding_a_removed_book_again_brings_it_back(
    run: Any, home: Home, theme: Theme, tmp_path: Path
) -> None:
    path = tmp_path / "novel.txt"
    write_novel(path, seed=3)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            opened.window.filesDropped.emit([path])
            await until(lambda: opened.session.reading.book_id is not None, 60)
            (book,) = opened.session.books.books()
            opened.session.library.select_book(book.id)
            opened.window.actions_["remove_books"].trigger()
            assert not opened.session.books.books()
            opened.window.filesDropped.emit([path])
            await until(lambda: [one.id for one in opened.session.books.books()] == [book.id], 60)
            opened.window.undo_toast.dismiss()
            assert opened.postil.library.books.get(book.id).id == book.id

    run(story())


def test_removing_a_book_on_its_way_in_holds_it_and_ends_it(
    run: Any, home: Home, theme: Theme, tmp_path: Path
) -> None:
    path = tmp_path / "novel.txt"
    write_novel(path, seed=4)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            opened.window.filesDropped.emit([path])
            await until(opened.session.books.books, 60)
            (book,) = opened.session.books.books()
            opened.session.library.select_book(book.id)
            opened.window.actions_["remove_books"].trigger()
            opened.window.undo_toast.dismiss()

            def is_gone() -> bool:
                try:
                    opened.postil.library.books.get(book.id)
                except NotFoundError:
                    return True
                return False

            await until(is_gone, 60)
            assert not opened.session.books.books()

    run(story())
