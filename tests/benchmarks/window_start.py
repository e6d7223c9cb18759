"""How long the window takes to be usable, and what it costs while nobody does anything.

    python tests/benchmarks/window_start.py [--starts N] [--books N]

Starts Postil (offscreen) in a new process on an empty library and on one of some books, again and
again, and beside it a bare Qt window as the peer: it tells what Python and Qt themselves take. A
start lasts from before the process is made until the window is painted, its books are listed and
the loop turns freely. The memory and the processor time are those of some seconds at rest, after
which the libraries are named that were loaded by then. The first start of each is not counted:
the files of Python and Qt are read from the disk then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Beside tests/app, `import app` would find that folder.
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from app.composition import Postil

REST_S = 3.0
HEAVY = ("torch", "onnxruntime", "fastembed", "usearch", "PySide6.QtWebEngineCore")

WATCH = """
import json, sys, time
import psutil
from PySide6.QtCore import QTimer

started_at, books, rest_s = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

def report(usable_at):
    process = psutil.Process()
    before = process.cpu_times()
    def tell():
        after = process.cpu_times()
        print(json.dumps({
            "usable_s": usable_at - started_at,
            "memory_mib": process.memory_info().rss / 2**20,
            "rest_cpu_share": (after.user + after.system - before.user - before.system) / rest_s,
            "modules": sorted(sys.modules),
        }), flush=True)
        stop()
    QTimer.singleShot(int(rest_s * 1000), tell)
"""
BARE = (
    WATCH
    + """
from PySide6.QtWidgets import QApplication, QMainWindow
application = QApplication([])
window = QMainWindow()
window.resize(1360, 860)
window.show()
stop = application.quit
QTimer.singleShot(0, lambda: (window.grab(), report(time.time())))
application.exec()
"""
)
POSTIL = (
    WATCH
    + """
from app.main import make_application, run_window
from app.window.session import Session
from core.home import Home

application = make_application()
look = QTimer()

def look_once():
    windows = [one for one in application.topLevelWidgets() if one.findChild(Session)]
    for window in windows:
        session = window.findChild(Session)
        if session.reading.isVisible() and session.books.rowCount() == books and session.ready:
            look.stop()
            window.grab()
            global stop
            stop = window.actions_["quit"].trigger
            report(time.time())

look.timeout.connect(look_once)
look.start(2)
run_window(Home.locate())
"""
)


def start(program: str, home: Path, books: int) -> dict[str, Any]:
    """Start a program once and return what it tells."""
    environment = os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "POSTIL_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(sys.path[:2]),
    }
    command = [sys.executable, "-c", program, repr(time.time()), str(books), str(REST_S)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def fill(home: Path, count: int) -> None:
    """Put books into a library, embeddings and all."""
    from app.composition import open_postil
    from core.home import Home
    from support.shelf import open_shelf, parsed_book, shelve

    library = open_shelf(home)
    for number in range(count):
        text = [f"Paragraph {part} of book {number} tells of the sea. " * 8 for part in range(4)]
        shelve(library, parsed_book(f"Book {number}", [("One", text)]))
    library.close()
    postil = open_postil(Home(home))
    asyncio.run(embed(postil))
    postil.close()


async def embed(postil: Postil) -> None:
    """Embed all books."""
    jobs = await postil.ingest.embed_missing()
    await postil.ingest.start()
    await postil.ingest.wait(jobs)
    await postil.ingest.close()


def measure(name: str, program: str, home: Path, books: int, starts: int) -> None:
    """Start a program some times and print its line."""
    start(program, home, books)
    told = [start(program, home, books) for _ in range(starts)]
    times = sorted(one["usable_s"] for one in told)
    memory = statistics.median(one["memory_mib"] for one in told)
    share = statistics.median(one["rest_cpu_share"] for one in told)
    heavy = [one for one in HEAVY if any(one in each["modules"] for each in told)]
    print(
        f"{name:24} usable after {statistics.median(times):5.2f} s "
        f"({times[0]:.2f} to {times[-1]:.2f})   {memory:6.0f} MiB   "
        f"{share:6.1%} of a core at rest   heavy libraries: {', '.join(heavy) or 'none'}",
        flush=True,
    )


def main() -> None:
    """Print a line for the bare window, and for each library."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5, help="counted starts of each")
    parser.add_argument("--books", type=int, default=50, help="books of the second library")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder) / "empty", Path(folder) / "full"
        fill(full, options.books)
        measure("a bare Qt window", BARE, empty, 0, options.starts)
        measure("Postil, no books", POSTIL, empty, 0, options.starts)
        measure(f"Postil, {options.books} books", POSTIL, full, options.books, options.starts)


if __name__ == "__main__":
    main()
