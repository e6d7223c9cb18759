"""A hand on mouse and keyboard: what it does reaches the window by its place on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QWindow,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolButton, QWidget

from support.window import until

LEFT = Qt.MouseButton.LeftButton
NO_KEYS = Qt.KeyboardModifier.NoModifier


class Hand:
    """Clicks, types and drops; each click goes to whatever lies at its place."""

    def __init__(self, window: QWidget, pictures: Path) -> None:
        self._window = window
        self._pictures = pictures
        self._carried = QMimeData()
        pictures.mkdir(parents=True, exist_ok=True)

    async def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Click in the middle of a widget, or at a place of it."""
        await _act(lambda: _click(widget, place))

    async def open_menu(self, picker: QToolButton) -> QMenu:
        """Click a button that drops a menu, and return the menu."""
        # The click does not return before the menu closes: it has a loop of its own.
        asyncio.get_running_loop().call_soon(_click, picker)
        menu = picker.menu()
        assert menu is not None
        await until(menu.isVisible)
        return menu

    async def pick(self, menu: QMenu, words: str) -> None:
        """Click an action of an open menu."""
        await self.click(menu, menu.actionGeometry(_action(menu, words)).center())
        await until(lambda: not menu.isVisible())

    async def focus(self, window: QWidget) -> None:
        """Give a window the focus, as a window manager does; a bare X server has none."""
        await until(window.isVisible)
        window.activateWindow()
        await until(window.isActiveWindow)

    async def press(self, keys: str) -> None:
        """Press keys, such as "Ctrl+K", in the window that has the focus."""
        pressed = QKeySequence(keys)[0]
        key, modifiers = pressed.key(), pressed.keyboardModifiers()
        await _act(lambda: QTest.keyClick(_focused(self._window), key, modifiers))

    async def type(self, words: str) -> None:
        """Type where the focus is."""
        for letter in words:
            await _act(lambda letter=letter: QTest.keyClick(_focused(self._window), letter))

    def carry_over(self, path: Path) -> None:
        """Drag a file over the window."""
        event = QDragEnterEvent(self._middle(), *self._carry(path))
        QApplication.sendEvent(self._window, event)
        assert event.isAccepted()

    def carry_off(self) -> None:
        """Drag it out again."""
        QApplication.sendEvent(self._window, QDragLeaveEvent())

    def drop(self, path: Path) -> None:
        """Drop a file on the window, as a file manager does."""
        self.carry_over(path)
        QApplication.sendEvent(
            self._window, QDropEvent(QPointF(self._middle()), *self._carry(path))
        )

    async def picture(self, name: str) -> None:
        """Save what the screen shows, once it has had time to be painted."""
        await asyncio.sleep(0.2)
        shot = self._window.screen().grabWindow(0)
        assert shot.save(str(self._pictures / f"{name}.png"))

    def _carry(
        self, path: Path
    ) -> tuple[Qt.DropAction, QMimeData, Qt.MouseButton, Qt.KeyboardModifier]:
        # Events only point to what is carried.
        self._carried = QMimeData()
        self._carried.setUrls([QUrl.fromLocalFile(str(path))])
        return Qt.DropAction.CopyAction, self._carried, LEFT, NO_KEYS

    def _middle(self) -> QPoint:
        return self._window.rect().center()


async def _act(act: Callable[[], object]) -> None:
    """Do something outside of any task: Qt's test functions let the loop run before they return."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def act_and_tell() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - handed on to who waits
            done.set_exception(error)
        else:
            done.set_result(None)

    loop.call_soon(act_and_tell)
    await done


def _click(widget: QWidget, place: QPoint | None = None) -> None:
    assert widget.isVisible(), f"{widget} cannot be seen"
    at = widget.mapTo(widget.window(), place or widget.rect().center())
    QTest.mouseClick(_handle(widget), LEFT, NO_KEYS, at)


def _handle(widget: QWidget) -> QWindow:
    handle = widget.window().windowHandle()
    assert handle is not None
    return handle


def _focused(window: QWidget) -> QWindow:
    return QApplication.focusWindow() or _handle(window)


def _action(menu: QMenu, words: str) -> QAction:
    named = [one for one in menu.actions() if words in one.text().replace("&", "")]
    assert len(named) == 1, f"{words}: {[one.text() for one in menu.actions()]}"
    return named[0]
