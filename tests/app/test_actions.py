from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from app.actions import GROUPS, Actions, native_key, plain_words
from app.theme import Theme
from app.window.main_window import MainWindow
from core.settings import Theme as ThemeChoice

SPECS = [spec for group in GROUPS.values() for spec in group]


@pytest.fixture
def window(qtbot: QtBot, theme: Theme) -> Iterator[MainWindow]:
    window = MainWindow(theme)
    yield window
    window.deleteLater()


def test_no_two_actions_share_a_key() -> None:
    keys = Counter(key for spec in SPECS for key in spec.keys)
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_key_is_one_that_qt_knows() -> None:
    for spec in SPECS:
        for key in spec.keys:
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText) == key


def test_every_tooltip_names_the_key(window: MainWindow) -> None:
    for spec in SPECS:
        action = window.actions_[spec.name]
        assert spec.keys, spec.name
        assert native_key(spec.keys[0]) in action.toolTip()
        assert plain_words(spec.text) in action.toolTip()


def test_every_action_is_in_a_menu(window: MainWindow) -> None:
    in_menus = {
        action
        for menu_action in window.menuBar().actions()
        for action in menu_action.menu().actions()
    }
    assert {window.actions_[spec.name] for spec in SPECS} <= in_menus


def test_icons_take_the_colours_of_the_theme(window: MainWindow, theme: Theme) -> None:
    theme.choose(ThemeChoice.LIGHT)
    light = window.actions_["add_books"].icon().pixmap(20, 20).toImage()
    theme.choose(ThemeChoice.DARK)
    dark = window.actions_["add_books"].icon().pixmap(20, 20).toImage()
    assert light != dark


def test_actions_are_made_once_by_name(window: MainWindow) -> None:
    actions = window.findChild(Actions)
    assert isinstance(actions, Actions)
    with pytest.raises(KeyError):
        actions["no such action"]
