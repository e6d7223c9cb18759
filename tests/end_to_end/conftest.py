"""A screen for real windows: Xvfb, an X server without a monitor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = Path(__file__).with_name("stories.py")
STORY_LIMIT_S = 150
Tell = Callable[[str], None]


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The address of a screen of our own."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not installed (on Debian and Ubuntu: apt install xvfb)")
    told, tells = os.pipe()
    screen = ["-screen", "0", "1366x900x24", "-nolisten", "tcp", "-displayfd", str(tells)]
    process = subprocess.Popen([server, *screen], pass_fds=[tells], stderr=subprocess.DEVNULL)
    os.close(tells)
    try:
        with os.fdopen(told) as number:
            yield f":{number.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def _check_qt(display: str) -> None:
    """Skip where Qt lacks libraries for an X server; it says which."""
    program = "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"
    environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"Qt finds no X11: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def tell(display: str, tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """Play a story in a window of its own process, all on one home; a step that fails fails it."""
    home = tmp_path_factory.mktemp("home")
    _check_qt(display)
    environment = os.environ | {
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "QT_ACCESSIBILITY": "0",
        "POSTIL_HOME": str(home),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }

    def play(story: str) -> None:
        done = subprocess.run(
            [sys.executable, str(STORIES), story],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=STORY_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"

    return play
