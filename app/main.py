"""Opens the window and closes everything behind it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from app.background import Background
from app.fonts import load_fonts
from app.icons import application_icon
from app.loop import WindowLoop
from app.theme import Theme
from app.window.main_window import MainWindow
from app.window.session import Session
from app.wording import plain_tip
from core.errors import StorageError
from core.home import Home

if TYPE_CHECKING:
    from app.composition import Postil

# How long a busy thread may keep the interpreter from the window.
_SWITCH_INTERVAL_S = 0.001


def run_window(home: Home) -> int:
    """Open the window on a home and return the exit code once the reader has closed it."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    application = make_application()
    theme = Theme(application)
    loop = WindowLoop(application)
    asyncio.set_event_loop(loop)
    with loop:
        return int(loop.run_until_complete(_run(home, theme)))


def make_application() -> QApplication:
    """Return the application, with its name and typefaces."""
    QCoreApplication.setApplicationName("Postil")
    QCoreApplication.setOrganizationName("Postil")
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setQuitOnLastWindowClosed(False)
    application.setWindowIcon(application_icon())
    application.setDesktopFileName("postil")
    load_fonts()
    return application


async def _run(home: Home, theme: Theme) -> int:
    window = MainWindow(theme)
    closed = asyncio.get_running_loop().create_future()
    window.closed.connect(lambda: _set(closed))
    background = Background(window.toast.tell)
    window.show()
    try:
        postil = await background.read(_open, home)
    except StorageError as error:
        await _tell_failure(window, str(error))
        await background.close()
        window.hide()
        window.deleteLater()
        return 1
    session = Session(postil, window, background, theme)
    try:
        await session.start()
        await closed
    finally:
        window.hide()
        await session.close()
        postil.close()
        window.deleteLater()
    return 0


def _open(home: Home) -> Postil:
    """Open the library; on a thread, for the database's libraries take a while to load."""
    from app.composition import open_postil
    from core.logs import start_logging

    postil = open_postil(home)
    start_logging(home)
    return postil


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _tell_failure(window: MainWindow, message: str) -> None:
    """Say why the library does not open, and wait until that is read."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Postil")
    box.setText("The library does not open.")
    box.setInformativeText(plain_tip(message))
    read = asyncio.get_running_loop().create_future()
    box.finished.connect(lambda: _set(read))
    box.open()
    await read
    box.deleteLater()
