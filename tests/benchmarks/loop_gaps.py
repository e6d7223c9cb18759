"""How long the window's loop is held up while books are ingested.

    POSTIL_CORPUS=DIR python tests/benchmarks/loop_gaps.py [--seconds N]

Opens the real window (offscreen) on a new library and lets a timer of 4 ms run through three
spells: at rest; beside processes that burn as much processor time as an ingest does, at the same
priority; and while the twelve Standard Ebooks novels are ingested. A gap is the time between two
ticks of the timer. The second spell tells what the machine itself costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QObject, Qt, QTimer

import qasync  # isort: skip  # takes the Qt binding that is there already

from app.background import Background
from app.composition import open_postil
from app.main import make_application
from app.theme import Theme
from app.window.main_window import MainWindow
from app.window.session import Session
from core.events import BookTextStored, Event, IngestIdle, JobProgressed
from core.home import Home

TICK_MS = 4
LIMITS_MS = (6, 8, 12, 16, 25, 50, 100, float("inf"))
NICENESS = 10


class Ticker(QObject):
    """Notes the time between the ticks of a timer, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append((now - self._last) * 1000)
        self._last = now

    async def run(self, seconds: float) -> list[float]:
        """Return the gaps of the next so many seconds."""
        self.gaps_ms.clear()
        await asyncio.sleep(seconds)
        return list(self.gaps_ms)


@contextmanager
def busy_processes() -> Iterator[None]:
    """Keep every core busy at the ingest worker's priority."""
    burn = f"import os; os.nice({NICENESS})\nwhile True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


async def measure(home: Home, paths: list[Path], seconds: float, theme: Theme) -> None:
    """Open the window and print the gaps of the three spells."""
    window = MainWindow(theme)
    background = Background(print)
    window.show()
    postil = await background.read(open_postil, home)
    session = Session(postil, window, background, theme)
    ticker = Ticker()
    try:
        await session.start()
        await asyncio.sleep(2)
        report("at rest", await ticker.run(seconds))
        with busy_processes():
            report("beside busy processes", await ticker.run(seconds))
        seen: list[Event] = []
        unsubscribe = postil.events.subscribe(seen.append)
        window.filesDropped.emit(paths)
        report("ingesting", await ticker.run(seconds))
        unsubscribe()
        stored, batches, idle = (
            sum(isinstance(event, kind) for event in seen)
            for kind in (BookTextStored, JobProgressed, IngestIdle)
        )
        print(f"meanwhile {stored} texts and {batches} batches of embeddings were stored; {idle=}")
    finally:
        window.hide()
        await session.close()
        postil.close()
        window.deleteLater()


def report(name: str, gaps_ms: list[float]) -> None:
    """Print one spell's percentiles and histogram."""
    ordered = sorted(gaps_ms)

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    print(
        f"{name:24}{len(ordered):7} gaps   p50 {percentile(0.5):6.1f}   p99 {percentile(0.99):6.1f}"
        f"   p99.9 {percentile(0.999):6.1f}   max {ordered[-1]:6.1f} ms"
    )
    lower = 0.0
    for limit in LIMITS_MS:
        count = sum(lower <= gap < limit for gap in ordered)
        print(f"    {lower:5.0f} to {limit:5.0f} ms {count:8}")
        lower = limit


def main() -> None:
    """Run the three spells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="length of a spell")
    seconds = parser.parse_args().seconds
    books = Path(os.environ["POSTIL_CORPUS"]) / "epub/standardebooks"
    sys.setswitchinterval(0.001)  # as app.main does
    application = make_application()
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(4))
    with tempfile.TemporaryDirectory() as folder, loop:
        loop.run_until_complete(
            measure(Home(Path(folder)), sorted(books.glob("*.epub")), seconds, Theme(application))
        )


if __name__ == "__main__":
    main()
