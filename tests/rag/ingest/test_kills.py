"""An ingest that is killed at random points, and libraries that two processes work on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from core.books import Book, BookStatus
from core.jobs import JobState
from support.ingest import contents, open_site, write_novel

pytestmark = pytest.mark.model

_ROOT = Path(__file__).parents[3]
_TIMEOUT_S = 120
_KILLS = 5


def _begin_adding(home: Path, paths: Sequence[Path]) -> subprocess.Popen[str]:
    """Start `postil add`, which prints a line of JSON for every event."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", "add", *map(str, paths), "--home", str(home), "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
        env=os.environ | {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
    )


def _finish(process: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Wait for the command, and return its entry for each book."""
    output, _ = process.communicate(timeout=_TIMEOUT_S)
    assert process.returncode == 0, output
    books: list[dict[str, object]] = json.loads(output.splitlines()[-1])["books"]
    return books


def _kill_after(process: subprocess.Popen[str], events: int, pause_s: float) -> None:
    """Kill a command some time after so many events; its worker must go with it."""
    assert process.stdout is not None
    for _ in range(events):
        if not process.stdout.readline():
            break  # it was done before
    time.sleep(pause_s)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive, "a worker outlived its parent"


@pytest.fixture(scope="module")
def novels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("novels")
    return [write_novel(folder / f"{seed}.txt", seed=seed, paragraphs=30) for seed in range(3)]


@pytest.fixture(scope="module")
def undisturbed(
    novels: list[Path], built_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The home of a library whose ingest nothing disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTIL_MODEL_CACHE", str(built_model))
        _finish(_begin_adding(home, novels))
    return home


@pytest.mark.parametrize(
    "run", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 10))]
)
async def test_kills_at_random_points_lose_and_duplicate_nothing(
    tmp_path: Path, model_cache: Path, novels: list[Path], undisturbed: Path, run: int
) -> None:
    seed = random.randrange(2**32)
    print(f"run {run}, seed {seed}")
    chance = random.Random(seed)
    for _ in range(_KILLS):
        process = _begin_adding(tmp_path / "killed", novels)
        _kill_after(process, chance.randint(1, 25), chance.uniform(0, 0.15))
    books = _finish(_begin_adding(tmp_path / "killed", novels))
    assert [book["status"] for book in books] == ["ready"] * len(novels)
    await _assert_same_library(tmp_path / "killed", undisturbed)


async def test_two_processes_share_the_work(
    tmp_path: Path, model_cache: Path, novels: list[Path], undisturbed: Path
) -> None:
    processes = [_begin_adding(tmp_path / "shared", paths) for paths in (novels, novels[::-1])]
    results = [_finish(process) for process in processes]
    assert [book["id"] for book in results[0]] == [book["id"] for book in results[1]][::-1]
    await _assert_same_library(tmp_path / "shared", undisturbed)


async def _assert_same_library(first: Path, second: Path) -> None:
    sites = [open_site(first), open_site(second)]
    try:
        for site in sites:
            async with site.running() as runner:
                await runner.wait([job.id for job in site.library.jobs.all()])
        one, other = (contents(site.library, site.embedder) for site in sites)
        assert one == other
        for site in sites:
            books = site.library.books.all()
            assert {book.status for book in books} == {BookStatus.READY}
            assert {job.state for job in site.library.jobs.all()} == {JobState.DONE}
            copies = {path.name for path in site.home.books_dir.iterdir()}
            assert {book.content_hash for book in books} <= copies
            assert all(name.startswith(".incoming-") for name in copies - _hashes(books))
            assert len(site.vectors.current()) == sum(book.chunk_count for book in books)
    finally:
        for site in sites:
            site.close()


def _hashes(books: Sequence[Book]) -> set[str]:
    return {book.content_hash for book in books}
