"""Model folders: one file, several with an index, and what is no checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inference.checkpoint.source import CheckpointFolder
from inference.errors import CheckpointError, ModelFolderError, UnsupportedModelError

_INDEX = "model.safetensors.index.json"


def test_one_file(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    source = CheckpointFolder(tmp_path)
    assert list(source.names()) == ["a"]
    assert torch.equal(source.load("a"), torch.ones(2))


def test_several_files(tmp_path: Path) -> None:
    _write_shards(tmp_path)
    source = CheckpointFolder(tmp_path)
    assert set(source.names()) == {"a", "b"}
    assert source.shape("b") == (3,)
    assert source.dtype("b") == torch.bfloat16
    read = torch.empty(3, dtype=torch.bfloat16)
    source.read_into("b", read)
    assert torch.equal(read, source.load("b"))


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    _write_shards(tmp_path)
    with pytest.raises(CheckpointError, match="lacks the tensor c"):
        CheckpointFolder(tmp_path).load("c")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _write_shards(tmp_path)
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-2"):
        CheckpointFolder(tmp_path)


def test_an_index_that_is_wrong_about_a_file(tmp_path: Path) -> None:
    _write_shards(tmp_path, weight_map={"a": "model-2.safetensors"})
    with pytest.raises(CheckpointError, match="but it is not"):
        CheckpointFolder(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "a/../../b.safetensors",
        "..\\model.safetensors",
        "C:\\model.safetensors",
        "C:model.safetensors",
        "\\\\host\\share\\model.safetensors",
        "model.safetensors\0",
        "pytorch_model.bin",
        "..",
        "",
        7,
        None,
        ["model.safetensors"],
    ],
)
def test_an_index_that_leads_elsewhere(tmp_path: Path, name: Any) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    (folder / _INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match="cannot be its own"):
        CheckpointFolder(folder)


@pytest.mark.parametrize(
    "index", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 200_000]
)
def test_a_damaged_index(tmp_path: Path, index: str) -> None:
    (tmp_path / _INDEX).write_text(index)
    with pytest.raises(CheckpointError):
        CheckpointFolder(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no weights"):
        CheckpointFolder(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsupportedModelError, match="pickled"):
        CheckpointFolder(tmp_path)


def test_gguf_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model-q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(UnsupportedModelError, match="GGUF"):
        CheckpointFolder(tmp_path)


def _write_shards(folder: Path, weight_map: dict[str, str] | None = None) -> None:
    save_file({"a": torch.zeros(2)}, folder / "model-1.safetensors")
    save_file({"b": torch.arange(3).bfloat16()}, folder / "model-2.safetensors")
    whole = weight_map or {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (folder / _INDEX).write_text(json.dumps({"metadata": {}, "weight_map": whole}))
