"""The loop that the window runs on, and fixtures that fail on anything Qt that a test leaves."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import shiboken6
from PySide6.QtCore import QAbstractAnimation, QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication

from app.background import Background
from app.main import make_application
from app.theme import Theme
from core.home import Home
from core.settings import Theme as ThemeChoice
from support.window import window_loop

R = TypeVar("R")
Run = Callable[[Coroutine[Any, Any, R]], R]

TEST_LIMIT_S = 90.0


@pytest.fixture(autouse=True)
def _no_real_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture(scope="session")
def application() -> QApplication:
    return make_application()


@pytest.fixture(scope="session")
def one_theme(application: QApplication) -> Theme:
    return Theme(application)


@pytest.fixture
def theme(one_theme: Theme) -> Iterator[Theme]:
    yield one_theme
    one_theme.choose(ThemeChoice.LIGHT)


@pytest.fixture
def run(application: QApplication) -> Iterator[Run[Any]]:
    """Run a coroutine on the window's loop."""
    with window_loop() as loop:
        yield lambda work: loop.run_until_complete(asyncio.wait_for(work, TEST_LIMIT_S))


@pytest.fixture
def background(run: Run[None]) -> Iterator[Background]:
    """Background work whose failures fail the test."""
    reports: list[str] = []
    made = Background(reports.append)
    yield made
    run(made.close())
    assert reports == []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def _no_dangling_qt(application: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail on a window, timer or animation that outlives its test: such crash a later one."""
    before = set(application.topLevelWidgets())
    timers = _note_started(monkeypatch, QTimer)
    animations = _note_started(monkeypatch, QAbstractAnimation)
    yield
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        application.processEvents()
    windows = [widget for widget in application.topLevelWidgets() if widget not in before]
    assert not windows, f"windows left: {windows}"
    left = [one for one in timers if shiboken6.isValid(one) and one.isActive()]
    assert not left, f"timers left running: {left}"
    stopped = QAbstractAnimation.State.Stopped
    left = [one for one in animations if shiboken6.isValid(one) and one.state() != stopped]
    assert not left, f"animations left running: {left}"


def _note_started(monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> weakref.WeakSet[Any]:
    """Return the set that every object of a kind is put into when it is started."""
    started: weakref.WeakSet[Any] = weakref.WeakSet()
    start = kind.start

    def noting(self: Any, *arguments: Any) -> None:
        started.add(self)
        start(self, *arguments)

    monkeypatch.setattr(kind, "start", noting)
    return started
