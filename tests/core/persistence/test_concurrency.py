"""Threads and processes on one library."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from core.home import Home
from core.jobs import JobState
from core.persistence.library import Library, open_library
from core.persistence.owners import current_owner, is_dead
from support.stored_books import store_book

TEXTS = [f"paragraph {n} of whales" for n in range(60)]

CLAIM_ALL = """
import sys
from pathlib import Path
from core.home import Home
from core.persistence.library import open_library
from core.persistence.owners import current_owner

library = open_library(Home(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
while job := library.jobs.claim_next(current_owner(), 1e6):
    print(job.id, flush=True)
print("done", flush=True)
sys.stdin.readline()
library.close()
"""


def start_claiming(home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIM_ALL, str(home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def read_until(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    return list(iter(lambda: process.stdout.readline().strip(), last))


def test_two_processes_never_take_the_same_job(home: Home) -> None:
    library = open_library(home)
    made = [library.jobs.create(f"{n}.txt", None).id for n in range(60)]
    processes = [start_claiming(home) for _ in range(2)]
    for process in processes:
        read_until(process, "ready")
    for process in processes:
        say(process)
    taken = [[int(line) for line in read_until(process, "done")] for process in processes]
    assert sorted(taken[0] + taken[1]) == made
    for process in processes:
        say(process)
        process.communicate(timeout=30)
    library.close()


def test_the_jobs_of_a_killed_process_are_free_at_once(home: Home) -> None:
    library = open_library(home)
    job = library.jobs.create("a.txt", None)
    process = start_claiming(home)
    read_until(process, "ready")
    say(process)
    read_until(process, "done")
    assert library.jobs.claim_next(current_owner(), 1e6) is None
    process.kill()
    process.communicate()
    taken = library.jobs.claim_next(current_owner(), 1e6)
    assert taken is not None
    assert taken.id == job.id
    library.close()


def test_only_a_process_that_is_gone_is_dead() -> None:
    host, pid, start = current_owner().rsplit(":", 2)
    long_s = 1e6
    assert not is_dead(current_owner(), long_s)
    assert not is_dead("far-host:1:1.0", long_s)
    assert not is_dead("someone", long_s)
    assert not is_dead(f"{host}:1:not a number", long_s)
    # The number was used again by a process that started at another time, maybe by this one.
    for used_again in (f"{host}:1:12345.0", f"{host}:{pid}:12345.0"):
        assert is_dead(used_again, long_s)
        # Or it is the same process, and the clock was set: it was heard of just now.
        assert not is_dead(used_again, 5.0)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert is_dead(f"{host}:{gone.stdout.strip()}:{start}", 0.0)


def test_threads_read_while_others_write(library: Library) -> None:
    book = store_book(library.books, TEXTS, "First")
    stop = threading.Event()

    def read() -> int:
        reads = 0
        while not stop.is_set():
            assert library.books.text(book.id) == "\n".join(TEXTS)
            assert library.lexical.search(["whale"], None, 5, "chunk")
            reads += 1
        return reads

    with ThreadPoolExecutor(max_workers=9) as pool:
        readers = [pool.submit(read) for _ in range(6)]
        try:
            stored = list(
                pool.map(lambda n: store_book(library.books, TEXTS, f"Book {n}"), range(12))
            )
        finally:
            stop.set()
        assert all(reader.result() > 0 for reader in readers)
    assert len({book.id for book in stored}) == 12
    for book in stored:
        ids = library.books.chunk_range(book.id)
        assert ids is not None
        assert library.books.chunk_texts(list(range(ids.first, ids.last + 1))) == TEXTS


def test_two_processes_agree_on_a_new_library(home: Home) -> None:
    processes = [start_claiming(home) for _ in range(3)]
    for process in processes:
        read_until(process, "ready")
        process.communicate("\n\n", timeout=30)
        assert process.returncode == 0
    library = open_library(home)
    assert library.jobs.create("a.txt", None).state is JobState.QUEUED
    library.close()


def test_a_snapshot_sees_one_state_and_other_threads_another(library: Library) -> None:
    def titles() -> list[str]:
        return [book.title for book in library.books.all()]

    store_book(library.books, TEXTS, "Before")
    with ThreadPoolExecutor(1) as pool:
        with library.snapshot():
            assert titles() == ["Before"]
            pool.submit(store_book, library.books, TEXTS, "Meanwhile").result()
            with library.snapshot():
                assert titles() == ["Before"]
            assert titles() == ["Before"]
            assert library.lexical.ceiling(["whale"], "chunk") > 0
            assert pool.submit(titles).result() == ["Before", "Meanwhile"]
        assert titles() == ["Before", "Meanwhile"]


def test_a_snapshot_ends_where_its_block_fails(library: Library) -> None:
    with contextlib.suppress(KeyError), library.snapshot():
        assert library.books.all() == []
        raise KeyError
    store_book(library.books, TEXTS)
    assert len(library.books.all()) == 1
