"""The real window on a real library, for tests and screenshots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic

from PySide6.QtCore import QCoreApplication, QEvent

from app.background import Background
from app.composition import Postil, open_postil
from app.loop import WindowLoop
from app.main import make_application
from app.theme import Theme
from app.window.main_window import MainWindow
from app.window.session import Session
from core.home import Home

WAIT_S = 30.0


@dataclass(frozen=True)
class OpenedWindow:
    """A window with its session and what the session stands on."""

    window: MainWindow
    session: Session
    postil: Postil
    background: Background


@contextmanager
def window_loop() -> Iterator[WindowLoop]:
    """Run the application's loop as app.main does, and leave nothing of it behind."""
    application = make_application()
    loop = WindowLoop(application)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        loop.close()
        asyncio.set_event_loop(None)


@asynccontextmanager
async def opened_window(home: Home, theme: Theme) -> AsyncIterator[OpenedWindow]:
    """Open the window on a home and close it in the same order as app.main."""
    window = MainWindow(theme)
    background = Background(window.toast.tell)
    window.show()
    postil = open_postil(home)
    session = Session(postil, window, background, theme)
    try:
        await session.start()
        yield OpenedWindow(window, session, postil, background)
    finally:
        window.hide()
        await session.close()
        postil.close()
        window.deleteLater()
        QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)


async def until(holds: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Let the window run until something holds."""
    deadline = monotonic() + timeout_s
    while not holds():
        assert monotonic() < deadline, f"still not so after {timeout_s} s"
        await asyncio.sleep(0.02)
