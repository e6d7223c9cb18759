"""What `bootstrap.py run` does without a display, on a machine that never saw Postil."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bootstrap import ROOT

from app.headless import QUESTION
from core.home import Home
from core.persistence.library import open_library
from core.text import fold_text
from rag.parsing.epub import parse_epub

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="module")
def runs(machine: Path) -> list[subprocess.CompletedProcess[str]]:
    """Two runs on the same home, the first of which finds nothing there, not even a model."""
    settings = {
        "POSTIL_HOME": str(machine / "home"),
        "POSTIL_MODEL_CACHE": str(machine / "models"),
        "HF_HUB_OFFLINE": "1",
    }
    return [_run(settings) for _ in range(2)]


def _run(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.headless"],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.model
def test_it_answers_with_quotes_from_the_guide(
    runs: list[subprocess.CompletedProcess[str]], machine: Path
) -> None:
    guide = parse_epub(machine / "home" / "guide" / "postil-guide.epub")
    chapters = {chapter.title for chapter in guide.chapters}

    for run in runs:
        assert run.returncode == 0, run.stderr
        assert QUESTION in run.stdout
        quotes = re.findall(r"^\[\d\] (.+)\n    “(.+)”$", run.stdout, re.MULTILINE)
        assert quotes
        for place, quote in quotes:
            assert set(place.split(" › ")) <= chapters
            assert fold_text(quote) in fold_text(guide.text)


@pytest.mark.model
def test_the_guide_is_one_book_after_two_runs(
    runs: list[subprocess.CompletedProcess[str]], machine: Path
) -> None:
    library = open_library(Home(machine / "home"))
    try:
        assert len(library.books.all()) == 1
    finally:
        library.close()
    assert runs[0].stdout == runs[1].stdout


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    run = _run({"POSTIL_HOME": str(tmp_path / "file" / "home")})

    assert run.returncode == 1
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
