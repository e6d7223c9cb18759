from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.conversation.choices import ScopeChoice
from app.conversation.turn_view import TurnView
from app.theme import Theme
from core.books import BookStatus
from core.endpoints import Endpoint
from core.home import Home
from core.persistence.library import open_library
from support.endpoint import (
    MODEL,
    ScriptedEndpoint,
    Step,
    chunk,
    cut_stream,
    error,
    event,
    raw_stream,
    scripted_endpoint,
    stream,
)
from support.shelf import parsed_book, shelve
from support.window import OpenedWindow, opened_window, until

QUOTE = "The keeper hid the brass key under the seventh stone."
BOOK = parsed_book(
    "The Keeper",
    [
        ("One", ["Fog lay on the harbour all winter long, and no boat came in."] * 12),
        ("Two", [QUOTE + " Nobody saw him do it but the gulls."]),
        ("Three", ["Rain fell on the village for nine days and nine nights."] * 12),
    ],
)
QUESTION = "Where did the keeper hide the brass key?"
ANSWER = ("It is under a stone. ", f"“{QUOTE}” [1]", " He told nobody.")


def shelve_book(home: Home) -> int:
    home.prepare()
    library = open_library(home)
    book = shelve(library, BOOK)
    library.close()
    return book.id


@asynccontextmanager
async def reading(
    home: Home, theme: Theme, server: ScriptedEndpoint | None = None, *, embedded: bool = False
) -> AsyncIterator[OpenedWindow]:
    """The window with the book open (and embedded), and with `server` as who answers."""
    async with opened_window(home, theme) as opened:
        books = opened.session.books.books
        await until(lambda: books() and (books()[0].status is BookStatus.READY or not embedded), 60)
        opened.session.reading.open_book(opened.session.books.books()[0].id)
        await until(lambda: opened.session.reading.book_id is not None)
        if server is not None:
            postil = opened.postil
            await opened.background.write(
                postil.add_endpoint, Endpoint("Whale", server.url, MODEL), None
            )
            settings = postil.settings.model_copy(update={"answer_endpoint": "Whale"})
            await opened.background.write(postil.change_settings, settings)
        yield opened


async def answer_to(opened: OpenedWindow, question: str = QUESTION) -> TurnView:
    opened.session.conversation.ask(question)
    await until(lambda: not opened.session.conversation.busy, 60)
    return opened.session.conversation.transcript.turns[-1]


def words_of(turn: TurnView) -> str:
    return "\n".join(label.text() for label in turn.findChildren(QLabel) if not label.isHidden())


def press(turn: TurnView, words: str, qtbot: QtBot) -> None:
    (button,) = [b for b in turn.findChildren(QPushButton) if b.text() == words]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_model_s_answer_streams_in_with_its_quote_checked(
    run: Any, home: Home, theme: Theme
) -> None:
    shelve_book(home)

    async def story() -> None:
        with scripted_endpoint() as server:
            server.script(stream(*ANSWER))
            async with reading(home, theme, server) as opened:
                turn = await answer_to(opened)
                assert turn.text == "".join(ANSWER)
                (card,) = turn.cards
                assert card.place.number == 1
                first, last = card.place.marked or (0, 0)
                assert card.place.text[first:last] == QUOTE
                assert "Answered by whale-1b" in words_of(turn)
                turn.choose_citation(1)
                page = opened.session.reading.page
                await until(lambda: page.highlighted == card.place.span)
                assert page.text_of(card.place.span) == QUOTE

    run(story())


def test_the_reader_s_place_is_not_lost_by_a_look_at_a_quote(
    run: Any, home: Home, theme: Theme
) -> None:
    book_id = shelve_book(home)

    async def story() -> None:
        async with reading(home, theme, embedded=True) as opened:
            pane = opened.session.reading
            before = pane.page.first_visible_offset()
            turn = await answer_to(opened)
            turn.choose_citation(1)
            await until(lambda: pane.page.highlighted is not None)
            assert opened.window.actions_["back_to_place"].isEnabled()
            await asyncio.sleep(1.0)
            assert opened.postil.library.books.get(book_id).reading_offset <= before
            opened.window.actions_["back_to_place"].trigger()
            await until(lambda: pane.page.highlighted is None)
            assert pane.page.first_visible_offset() == before

    run(story())


def test_stopping_keeps_what_has_come(run: Any, home: Home, theme: Theme) -> None:
    shelve_book(home)

    async def story() -> None:
        with scripted_endpoint() as server:
            slow = [Step(event(chunk("Half an answer, ")), 0.0), Step(event(chunk("and")), 30.0)]
            server.script(raw_stream(*slow))
            async with reading(home, theme, server) as opened:
                conversation = opened.session.conversation
                conversation.ask(QUESTION)
                await until(server.asked.is_set)
                await asyncio.sleep(0.5)
                assert opened.window.actions_["stop_answer"].isEnabled()
                opened.window.actions_["stop_answer"].trigger()
                await until(lambda: not conversation.busy)
                store = opened.postil.library.conversations
                (message,) = store.messages(store.all()[0].id)
                assert message.stopped
                assert message.answer.startswith("Half an answer")
                await until(server.hung_up.is_set)
                assert "stopped" in words_of(conversation.transcript.turns[0])

    run(story())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (error(401, {"error": {"message": "bad key"}}), "key"),
        (error(500, {"error": {"message": "boom"}}), "Whale"),
        (cut_stream("It is under"), "Whale"),
    ],
    ids=["key refused", "server failed", "stream cut"],
)
def test_an_endpoint_that_fails_says_so_and_can_be_asked_again(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, script: list[Step], words: str
) -> None:
    shelve_book(home)

    async def story() -> None:
        with scripted_endpoint() as server:
            server.script(script, stream(*ANSWER))
            async with reading(home, theme, server) as opened:
                turn = await answer_to(opened)
                assert words in words_of(turn)
                press(turn, "Ask again", qtbot)
                await until(lambda: len(opened.session.conversation.transcript.turns) == 2)
                await until(lambda: not opened.session.conversation.busy)
                second = opened.session.conversation.transcript.turns[1]
                await until(lambda: second.cards)
                assert second.question == QUESTION

    run(story())


def test_a_follow_up_is_sent_with_what_came_before(run: Any, home: Home, theme: Theme) -> None:
    shelve_book(home)

    async def story() -> None:
        with scripted_endpoint() as server:
            server.script(stream(*ANSWER))
            async with reading(home, theme, server) as opened:
                await answer_to(opened)
                await answer_to(opened, "Who saw the keeper hide the key?")
                sent = str(server.requests[-1].body)
                assert QUESTION in sent
                opened.window.actions_["new_conversation"].trigger()
                await until(lambda: not opened.session.conversation.transcript.turns)
                opened.session.conversation.ask("What fell on the village?")
                await until(lambda: not opened.session.conversation.busy)
                assert QUESTION not in str(server.requests[-1].body)
                first, second = opened.postil.library.conversations.all()
                assert {first.title, second.title} == {QUESTION, "What fell on the village?"}

    run(story())


def test_scopes_follow_the_book_and_the_reader_s_place(run: Any, home: Home, theme: Theme) -> None:
    book_id = shelve_book(home)

    async def story() -> None:
        async with reading(home, theme) as opened:
            picker = opened.session.conversation.scope_picker
            actions = opened.window.actions_
            assert picker.choice is ScopeChoice.BOOK
            actions["scope_place"].trigger()
            assert picker.choice is ScopeChoice.TO_HERE
            scope = opened.session.reading.scope_to_here
            assert scope is not None
            assert scope.up_to(book_id) == opened.session.reading.page.last_visible_offset()
            actions["scope_library"].trigger()
            assert picker.choice is ScopeChoice.LIBRARY
            actions["scope_book"].trigger()
            opened.session.reading.close_book()
            opened.session.conversation.set_book_open(False)
            assert picker.choice is ScopeChoice.LIBRARY
            assert not actions["scope_book"].isEnabled()

    run(story())


def test_copying_an_answer_names_its_sources(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_book(home)

    async def story() -> None:
        async with reading(home, theme, embedded=True) as opened:
            turn = await answer_to(opened)
            press(turn, "Copy", qtbot)
            copied = QGuiApplication.clipboard().text()
            assert "brass key" in copied
            assert "[1] The Keeper, Two" in copied

    run(story())


def test_the_box_sends_with_enter_and_breaks_lines_with_shift(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    shelve_book(home)

    async def story() -> None:
        async with reading(home, theme) as opened:
            box = opened.session.conversation.composer.box
            qtbot.keyClicks(box, "one")
            qtbot.keyClick(box, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
            qtbot.keyClicks(box, "two")
            assert box.toPlainText() == "one\ntwo"
            assert opened.session.conversation.transcript.turns == []
            qtbot.keyClick(box, Qt.Key.Key_Return)
            assert opened.session.conversation.transcript.turns[0].question == "one\ntwo"
            qtbot.keyClick(box, Qt.Key.Key_Return)
            assert len(opened.session.conversation.transcript.turns) == 1
            await until(lambda: not opened.session.conversation.busy)

    run(story())
