"""A process that is killed in the middle of storing loses no batch that it was told is stored."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from core.books import BookStatus
from core.home import Home
from core.persistence.library import Library, open_library
from support.appending import TEXTS
from support.stored_books import store_book

PROGRAM = Path(__file__).parents[2] / "support" / "appending.py"


def kill_while_storing(home: Home, lines: int) -> tuple[int, int]:
    """Let a process store until it has told of so many batches, kill it; return what it told."""
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(home.root)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.readlines()
    book_id, block_count = next(line for line in reversed(told) if line.endswith("\n")).split()
    return int(book_id), int(block_count)


def check_integrity(library: Library) -> None:
    with library._database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        for table in ("chunk_words", "parent_words"):
            connection.exec_driver_sql(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")


@pytest.mark.parametrize(
    "kills",
    [pytest.param(3, id="3 kills"), pytest.param(40, id="40 kills", marks=pytest.mark.slow)],
)
def test_a_killed_process_loses_at_most_the_batch_in_hand(tmp_path: Path, kills: int) -> None:
    for kill in range(kills):
        home = Home(tmp_path / str(kill))
        book_id, block_count = kill_while_storing(home, random.randint(1, 25))
        library = open_library(home)
        check_integrity(library)
        stored = library.books.blocks(book_id)
        assert block_count <= len(stored)
        assert [placed.block.text for placed in stored] == TEXTS[: len(stored)]
        for book in library.books.all():
            if book.status is BookStatus.SEARCHABLE:
                assert library.books.text(book.id) == "\n".join(TEXTS)
        # The text is stored anew, under ids that nothing of the first attempt has.
        before = library.books.chunk_range(book_id)
        again = store_book(library.books, TEXTS, "Again")
        after = library.books.chunk_range(again.id)
        assert before is not None
        assert after is not None
        assert after.first > before.last
        library.close()
