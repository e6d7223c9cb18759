from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.dialogs.endpoint_dialog import EndpointDialog
from app.dialogs.endpoints_dialog import EndpointsDialog
from app.theme import Theme
from core.endpoints import Endpoint
from core.home import Home
from support.endpoint import KEY, MODEL, error, models, scripted_endpoint, stream
from support.window import OpenedWindow, opened_window, until


def add_dialog(opened: OpenedWindow, endpoint: Endpoint | None = None) -> EndpointDialog:
    dialog = EndpointDialog(opened.postil, opened.background, opened.window, endpoint)
    dialog.open()
    return dialog


def fill(dialog: QWidget, **values: str) -> None:
    for name, value in values.items():
        (field,) = [f for f in dialog.findChildren(QLineEdit) if f.accessibleName() == name]
        field.setText(value)


def button(dialog: QWidget, words: str) -> QPushButton:
    found = [b for b in dialog.findChildren(QPushButton) if b.text().replace("&", "") == words]
    return found[0]


def press(dialog: QWidget, words: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(button(dialog, words), Qt.MouseButton.LeftButton)


def says(dialog: QWidget, words: str) -> bool:
    return any(words in label.text() for label in dialog.findChildren(QLabel))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "Enter the address"),
        ("http://localhost:11434/v1", "nothing leaves it"),
        ("http://127.0.0.1:1234/v1", "nothing leaves it"),
        ("https://api.example.com/v1", "will be sent to api.example.com"),
        ("http://192.168.1.5/v1", "will be sent to 192.168.1.5"),
    ],
)
def test_it_says_where_passages_will_go(
    run: Any, home: Home, theme: Theme, address: str, words: str
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            dialog = add_dialog(opened)
            fill(dialog, Address=address)
            assert says(dialog, words)
            dialog.close()

    run(story())


@pytest.mark.expects_logs  # without a keyring, keys go to files
def test_an_endpoint_is_listed_tried_and_kept(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    async def story() -> None:
        with scripted_endpoint() as server:
            async with opened_window(home, theme) as opened:
                dialog = add_dialog(opened)
                assert not button(dialog, "Add").isEnabled()
                fill(dialog, Name="Whale", Address=server.url, Key=KEY)
                server.script(models("whale-1b", "whale-7b"))
                press(dialog, "List models", qtbot)
                await until(lambda: dialog.findChildren(QMenu))
                (menu,) = dialog.findChildren(QMenu)
                assert [action.text() for action in menu.actions()] == ["whale-1b", "whale-7b"]
                menu.actions()[1].trigger()
                menu.close()
                server.script(stream("ready"))
                press(dialog, "Test", qtbot)
                await until(lambda: says(dialog, "answered in"))
                assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
                press(dialog, "Add", qtbot)
                await until(lambda: not opened.window.findChildren(EndpointDialog))
                (kept,) = opened.postil.library.endpoints.all()
                assert (kept.name, kept.model) == ("Whale", "whale-7b")
                assert opened.postil.secrets.get("Whale") == KEY
                assert opened.postil.settings.answer_endpoint == "Whale"

    run(story())


def test_what_goes_wrong_is_said_in_the_dialog(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    async def story() -> None:
        with scripted_endpoint() as server:
            server.script(error(401, {"error": {"message": "no"}}))
            async with opened_window(home, theme) as opened:
                dialog = add_dialog(opened)
                fill(dialog, Name="Whale", Address=server.url, Model=MODEL)
                press(dialog, "Test", qtbot)
                await until(lambda: says(dialog, "key"))
                fill(dialog, Address="ftp://nowhere")
                press(dialog, "Test", qtbot)
                await until(lambda: says(dialog, "http://"))
                dialog.close()

    run(story())


def test_a_name_that_is_taken_is_not_taken_twice(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            opened.postil.add_endpoint(Endpoint("Whale", "http://localhost:1/v1", "m"), None)
            dialog = add_dialog(opened)
            fill(dialog, Name="Whale", Address="http://localhost:2/v1", Model="n")
            press(dialog, "Add", qtbot)
            await until(lambda: says(dialog, "Whale"))
            (kept,) = opened.postil.library.endpoints.all()
            assert kept.base_url == "http://localhost:1/v1"
            dialog.close()

    run(story())


@pytest.mark.expects_logs  # without a keyring, keys go to files
def test_renaming_takes_the_key_and_the_choice_along(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            postil = opened.postil
            endpoint = Endpoint("Old", "http://localhost:1/v1", "m")
            postil.add_endpoint(endpoint, KEY)
            postil.change_settings(postil.settings.model_copy(update={"answer_endpoint": "Old"}))
            dialog = add_dialog(opened, endpoint)
            fill(dialog, Name="New")
            press(dialog, "Save", qtbot)
            await until(lambda: not opened.window.findChildren(EndpointDialog))
            assert [one.name for one in postil.library.endpoints.all()] == ["New"]
            assert postil.secrets.get("New") == KEY
            assert postil.secrets.get("Old") is None
            assert postil.settings.answer_endpoint == "New"

    run(story())


def test_the_list_follows_what_is_added_and_removed(
    run: Any, home: Home, theme: Theme, qtbot: QtBot
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            opened.postil.add_endpoint(Endpoint("One", "http://localhost:1/v1", "m"), None)
            opened.window.actions_["endpoints"].trigger()
            (dialog,) = opened.window.findChildren(EndpointsDialog)
            await until(lambda: dialog.names() == ["One"])
            opened.postil.add_endpoint(Endpoint("Two", "https://example.com/v1", "m"), None)
            await until(lambda: dialog.names() == ["One", "Two"])
            press(dialog, "Remove", qtbot)
            await until(lambda: dialog.names() == ["Two"])
            dialog.close()
            assert QApplication.activeModalWidget() is None

    run(story())
