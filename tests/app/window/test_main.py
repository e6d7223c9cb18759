"""The whole of run_window: it opens, closes, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from app.main import run_window
from app.window.main_window import MainWindow
from app.window.welcome import Welcome
from core.home import Home
from core.persistence.library import open_library

LOOK_MS = 50


@pytest.fixture
def look(application: QApplication) -> Iterator[Callable[[Callable[[MainWindow], bool]], None]]:
    """Look at the window from time to time until something was done with it."""
    timer = QTimer()

    def start(act: Callable[[MainWindow], bool]) -> None:
        def try_once() -> None:
            shown = [w for w in application.topLevelWidgets() if isinstance(w, MainWindow)]
            if any(act(window) for window in shown if window.isVisible()):
                timer.stop()

        timer.timeout.connect(try_once)
        timer.start(LOOK_MS)

    yield start
    timer.stop()


def close_once_welcome(window: MainWindow) -> bool:
    if window.findChild(Welcome) is None:
        return False
    window.actions_["quit"].trigger()
    return True


def test_it_opens_an_empty_library_and_quits(
    home: Home, look: Callable[[Callable[[MainWindow], bool]], None]
) -> None:
    look(close_once_welcome)
    assert run_window(home) == 0
    library = open_library(home)
    assert "window" in library.settings.read()
    library.close()


def test_a_home_that_cannot_be_is_told_and_ends_with_1(
    tmp_path: Path, look: Callable[[Callable[[MainWindow], bool]], None]
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    told: list[str] = []

    def read_and_accept(window: MainWindow) -> bool:
        boxes = window.findChildren(QMessageBox)
        for box in boxes:
            told.extend(label.text() for label in box.findChildren(QLabel))
            box.accept()
        return bool(boxes)

    look(read_and_accept)
    assert run_window(Home(tmp_path / "file" / "home")) == 1
    assert any("Postil cannot use the folder" in words for words in told)


STARTED = """
import sys
from PySide6.QtCore import QTimer
from app.main import make_application, run_window
from app.window.session import Session
from core.home import Home

application = make_application()
timer = QTimer()

def look():
    for window in application.topLevelWidgets():
        session = window.findChild(Session)
        if session is not None and session.ready:
            timer.stop()
            print(sorted(name for name in sys.argv[2:] if name in sys.modules))
            window.actions_["quit"].trigger()

timer.timeout.connect(look)
timer.start(1)
sys.exit(run_window(Home.locate()))
"""


def test_a_started_window_has_loaded_nothing_heavy(tmp_path: Path) -> None:
    """Models, indexes and the web engine come when they are needed, not before the window."""
    heavy = ["torch", "onnxruntime", "fastembed", "usearch", "onnx", "PySide6.QtWebEngineCore"]
    done = subprocess.run(
        [sys.executable, "-c", STARTED, "started", *heavy],
        env=os.environ | {"POSTIL_HOME": str(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
