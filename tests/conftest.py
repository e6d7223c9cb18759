"""Strictness for every test: no leaked thread, timer or window, and no unexpected warning."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# Threads that libraries keep for the life of the process.
_LIBRARY_THREADS = ("pytest_timeout", "asyncio_", "QThread", "Dummy-", "tqdm")
_THREAD_GRACE_S = 5.0


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The public corpus that POSTIL_CORPUS points to."""
    folder = os.environ.get("POSTIL_CORPUS", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("POSTIL_CORPUS does not point to the corpus")
    return Path(folder)


@pytest.fixture(autouse=True)
def _no_dangling_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _THREAD_GRACE_S
    while (left := _new_threads(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"threads left running: {[thread.name for thread in left]}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and thread.is_alive()
        and not thread.name.startswith(_LIBRARY_THREADS)
    ]


@pytest.fixture(autouse=True)
def _no_unexpected_logs(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fail on any record at WARNING or above, unless the test is marked `expects_logs`."""
    yield
    if request.node.get_closest_marker("expects_logs"):
        return
    records = [
        record
        for phase in ("setup", "call")
        for record in caplog.get_records(phase)
        if record.levelno >= logging.WARNING
    ]
    assert not records, [f"{record.name}: {record.getMessage()}" for record in records]


@pytest.fixture(autouse=True)
def _no_dangling_windows() -> Iterator[None]:
    """Fail when a test leaves a top-level widget or a running timer behind."""
    yield
    if "PySide6.QtWidgets" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        application.processEvents()
    visible = [widget for widget in application.topLevelWidgets() if widget.isVisible()]
    assert not visible, f"windows left open: {visible}"
    timers = [timer for timer in application.findChildren(QTimer) if timer.isActive()]
    assert not timers, f"timers left running: {timers}"
