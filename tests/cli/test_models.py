"""`models`, run as another program would run it, against a hub on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Outcome, postil
from support.model_hub import ModelHub, model_hub

REPOSITORY = "whaler/tiny-whale"
FILES = {
    "config.json": json.dumps({"max_position_embeddings": 512}).encode(),
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(range(256)) * 400,
    "README.md": b"not wanted",
    "consolidated.safetensors": b"the same once more",
    "pytorch_model.bin": b"not wanted either",
}


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with model_hub() as hub:
        hub.files[REPOSITORY] = FILES
        yield hub


@pytest.fixture
def environment(hub: ModelHub, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "POSTIL_MODEL_CACHE": str(tmp_path / "models"),
    }


def run(tmp_path: Path, environment: dict[str, str], *arguments: str) -> Outcome:
    return postil("models", *arguments, home=tmp_path / "home", **environment)


def test_a_model_is_fetched_listed_and_removed(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    fetched = run(tmp_path, environment, "download", REPOSITORY, "--json")

    assert fetched.code == 0, fetched.stderr
    told = fetched.json_lines[-1]
    assert (told["event"], told["name"], told["repository"]) == ("done", "tiny-whale", REPOSITORY)
    folder = Path(told["path"])
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip

    listed = run(tmp_path, environment, "list", "--json").json
    assert [one["name"] for one in listed if one["installed"]] == ["tiny-whale"]
    assert "qwen3-0.6b" in [one["name"] for one in listed if not one["installed"]]

    assert run(tmp_path, environment, "remove", "tiny-whale").code == 0
    assert not (folder / "model.safetensors").exists()
    assert not any(one["installed"] for one in run(tmp_path, environment, "list", "--json").json)


def test_a_download_that_broke_off_goes_on(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    # The hub's library writes 10 MiB at a time; what it had not written when it broke off is lost.
    hub.files[REPOSITORY] = {**FILES, "model.safetensors": bytes(24_000_000)}
    hub.break_after = 12_000_000

    fetched = run(tmp_path, environment, "download", REPOSITORY)

    assert fetched.code == 0, fetched.stderr
    assert "--endpoint local:tiny-whale" in fetched.stderr
    assert any("bytes=" in request and "bytes=0" not in request for request in hub.requests)


def test_damaged_weights_are_not_kept(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.damaged.add("model.safetensors")

    failed = run(tmp_path, environment, "download", REPOSITORY)

    assert failed.code == 1
    assert "damaged" in failed.stderr
    assert not list((tmp_path / "hub").rglob("model.safetensors"))

    hub.damaged.clear()
    assert run(tmp_path, environment, "download", REPOSITORY).code == 0


def test_what_the_hub_refuses_is_told(
    hub: ModelHub, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.gated.add(REPOSITORY)
    gated = run(tmp_path, environment, "download", REPOSITORY)
    assert gated.code == 1
    assert f"https://huggingface.co/{REPOSITORY}" in gated.stderr

    unknown = run(tmp_path, environment, "download", "whaler/other")
    assert unknown.code == 1
    assert "knows no model called whaler/other" in unknown.stderr

    bad = run(tmp_path, environment, "download", "whale")
    assert bad.code == 1
    assert "postil models list" in bad.stderr


def test_a_hub_that_is_not_there_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    gone = {**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}

    failed = run(tmp_path, gone, "download", REPOSITORY)

    assert failed.code == 1
    assert "cannot be reached" in failed.stderr


def test_a_folder_that_is_no_model_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    failed = run(tmp_path, environment, "import", str(tmp_path / "empty"))

    assert failed.code == 1
    assert "config.json" in failed.stderr
