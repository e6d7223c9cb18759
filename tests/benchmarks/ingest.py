"""How fast books become searchable, and what the worker process needs for it.

    POSTIL_CORPUS=DIR python tests/benchmarks/ingest.py [--whole GLOB] [--home DIR]

Three tables: parsing and chunking every Standard Ebooks novel on one core; the time from dropping
a book until words find it, each into a library of its own; and a whole ingest, embeddings included,
of the books that `--whole` names. On a machine that does other things at the same time look at CPU
time: "at full cores" is what it comes to where all cores are free.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.composition import Postil, open_postil
from core.events import BookTextStored, Event
from core.home import Home
from core.jobs import JobState
from rag.chunking.chunker import chunk_book
from rag.parsing.formats import parse_book

FOLDER = "epub/standardebooks"
DROPPED = ("h-g-wells*", "jane-austen*", "leo-tolstoy*")
_MIB = 1024 * 1024


@dataclass
class WorkerUse:
    """What the worker process took, as sampled while it ran."""

    peak_rss_bytes: int = 0
    cpu_s: float = 0.0


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", default="j*", help="books of the whole ingest (default: j*)")
    parser.add_argument("--home", type=Path, help="folder for the libraries (default: temporary)")
    arguments = parser.parse_args()
    books = Path(os.environ["POSTIL_CORPUS"]) / FOLDER
    read_all(sorted(books.glob("*.epub")))
    with tempfile.TemporaryDirectory(dir=arguments.home) as folder:
        for number, glob in enumerate(DROPPED):
            asyncio.run(drop(Path(folder) / str(number), next(books.glob(glob))))
        asyncio.run(ingest(Path(folder) / "whole", sorted(books.glob(arguments.whole + ".epub"))))


def read_all(paths: list[Path]) -> None:
    """Time parsing and chunking, in this process, on one core."""
    print(f"{'parse + chunk, CPU time':44}{'characters':>12}{'chunks':>8}{'s':>7}{'char/s':>12}")
    total_characters, total_s = 0, 0.0
    for path in paths:
        began = time.process_time()
        parsed = parse_book(path, name=path.name)
        chunked = chunk_book(parsed)
        took_s = time.process_time() - began
        characters = len(parsed.text)
        total_characters += characters
        total_s += took_s
        print(
            f"{path.stem[:42]:44}{characters:12,}{len(chunked.chunks):8,}{took_s:7.2f}"
            f"{characters / took_s:12,.0f}"
        )
    print(
        f"{'all':44}{total_characters:12,}{'':8}{total_s:7.2f}{total_characters / total_s:12,.0f}"
    )


async def drop(home: Path, path: Path) -> None:
    """Time a book from being dropped on a running Postil until words find it."""
    postil = open_postil(Home.locate(home))
    stored = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(event: Event) -> None:
        if isinstance(event, BookTextStored):
            loop.call_soon(stored.set)

    postil.events.subscribe(note)
    await postil.ingest.start()
    try:
        began = time.monotonic()
        (job_id,) = await postil.ingest.add([path])
        await stored.wait()
        found = postil.library.lexical.search(["time"], None, 1, "chunk")
        took_s = time.monotonic() - began
        assert found
        await postil.ingest.cancel(job_id)
    finally:
        await postil.ingest.close()
        postil.close()
    print(f"dropped to found by words: {path.stem[:42]:44}{took_s:7.2f} s")


async def ingest(home: Path, paths: list[Path]) -> None:
    """Time a whole ingest, and watch the worker."""
    postil = open_postil(Home.locate(home))
    await postil.ingest.start()
    try:
        with _watching_worker() as use:
            began, began_cpu = time.monotonic(), time.process_time()
            jobs = await postil.ingest.wait(await postil.ingest.add(paths))
            took_s, own_cpu_s = time.monotonic() - began, time.process_time() - began_cpu
        assert all(job.state is JobState.DONE for job in jobs), jobs
        _report(postil, took_s, own_cpu_s, use)
    finally:
        await postil.ingest.close()
        postil.close()


def _report(postil: Postil, took_s: float, own_cpu_s: float, use: WorkerUse) -> None:
    books = postil.library.books.all()
    characters = sum(book.character_count for book in books)
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 1
    at_full_cores = characters / ((use.cpu_s + own_cpu_s) / cores)
    print(f"whole ingest: {len(books)} books, {characters:,} characters, {took_s:.1f} s")
    print(f"  characters/s               {characters / took_s:12,.0f}")
    print(f"  characters/s at full cores {at_full_cores:12,.0f}  ({cores} cores)")
    print(f"  CPU s, worker / parent     {use.cpu_s:12.1f} / {own_cpu_s:.1f}")
    print(f"  worker's peak memory, MiB  {use.peak_rss_bytes / _MIB:12.0f}")


@contextmanager
def _watching_worker() -> Iterator[WorkerUse]:
    """Sample memory and CPU time of this process's children."""
    use = WorkerUse()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            for child in psutil.Process().children():
                with suppress(psutil.NoSuchProcess):
                    use.peak_rss_bytes = max(use.peak_rss_bytes, child.memory_info().rss)
                    times = child.cpu_times()
                    use.cpu_s = max(use.cpu_s, times.user + times.system)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield use
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
