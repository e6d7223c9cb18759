"""The cache of quantised weights: read when it fits, made again when not, never in the way."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.errors import CheckpointError, UnsupportedModelError
from inference.linear import cache as cache_module
from inference.linear.interface import Quantization
from inference.linear.schemes import linear_scheme
from inference.models.registry import load_model
from support.chat_model import write_chat_model

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    model.mkdir()
    _write_model(model, seed=0)
    return model


def _write_model(folder: Path, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        "embed.weight": torch.randn(32, 64, generator=generator),
        "up.weight": torch.randn(96, 64, generator=generator),
        "odd.weight": torch.randn(8, 20, generator=generator),
    }
    save_file(tensors, folder / "model.safetensors")


class _Loads:
    """Gives tensors of the model and notes which were asked for."""

    def __init__(self, folder: Path) -> None:
        self._tensors = load_file(folder / "model.safetensors")
        self.names: list[str] = []

    def __call__(self, name: str) -> Tensor:
        self.names.append(name)
        return self._tensors[f"{name}.weight"]


def _build(
    folder: Path, quantization: Quantization = "int4", cache_folder: Path | None = None
) -> tuple[list[str], dict[str, Tensor]]:
    """Build three layers; which weights were loaded, and what each layer answers."""
    loads = _Loads(folder)
    scheme = linear_scheme(
        quantization,
        device=CPU,
        dtype=torch.float32,
        model_folder=folder,
        cache_folder=cache_folder,
    )
    embedding = scheme.build_embedding("embed", lambda: loads("embed"))
    up = scheme.build("up", lambda: loads("up"))
    odd = scheme.build("odd", lambda: loads("odd"))
    scheme.finish()
    answers = {
        "embed": embedding(torch.arange(32)),
        "head": embedding.output_head()(torch.ones(2, 64)),
        "up": up(torch.ones(2, 64)),
        "odd": odd(torch.ones(2, 20)),
    }
    return loads.names, answers


def _cached(folder: Path, quantization: str = "int4") -> Path:
    return folder / ".postil" / f"{quantization}.safetensors"


def _files(folder: Path) -> list[str]:
    return [path.name for path in _cached(folder).parent.iterdir()]


def _assert_equal(answers: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, answer in answers.items():
        assert torch.equal(answer, expected[name]), name


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_the_second_load_reads_no_weights_and_answers_the_same(
    folder: Path, quantization: Quantization
) -> None:
    loaded, expected = _build(folder, quantization)
    assert loaded == ["embed", "up", "odd"]
    loaded, answers = _build(folder, quantization)
    assert loaded == []
    _assert_equal(answers, expected)
    assert _files(folder) == [f"{quantization}.safetensors"]


def test_the_cache_is_a_safetensors_file_that_others_read(folder: Path) -> None:
    _build(folder)
    tensors = load_file(_cached(folder))
    assert tensors["up.codes"].shape == (96, 32)
    assert tensors["odd.codes"].dtype == torch.int8
    assert "odd.zero_points" not in tensors


def test_another_checkpoint_is_quantized_anew(folder: Path) -> None:
    _build(folder)
    _write_model(folder, seed=1)
    loaded, answers = _build(folder)
    assert loaded == ["embed", "up", "odd"]
    again, repeated = _build(folder)
    assert again == []
    _assert_equal(repeated, answers)


def test_a_checkpoint_of_the_same_size_written_later_is_quantized_anew(folder: Path) -> None:
    _build(folder)
    weights = folder / "model.safetensors"
    os.utime(weights, ns=(1, 1))
    assert _build(folder)[0]


@pytest.mark.parametrize("damage", ["truncated", "empty", "header", "foreign"])
def test_a_damaged_cache_is_made_again(folder: Path, damage: str) -> None:
    _, expected = _build(folder)
    path = _cached(folder)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "header":
        data[8] = 0
        path.write_bytes(data)
    else:
        save_file({"up.codes": torch.zeros(1)}, path)
    loaded, answers = _build(folder)
    assert loaded == ["embed", "up", "odd"]
    _assert_equal(answers, expected)
    assert _build(folder)[0] == []


def test_a_folder_that_cannot_be_written_falls_back_to_the_cache_folder(
    folder: Path, tmp_path: Path
) -> None:
    # A file where the folder should be: no rights keep root from writing.
    (folder / ".postil").write_text("in the way")
    elsewhere = tmp_path / "cache"
    _build(folder, cache_folder=elsewhere)
    assert len(list(elsewhere.glob("*-int4.safetensors"))) == 1
    assert _build(folder, cache_folder=elsewhere)[0] == []


def test_nowhere_to_write_does_not_fail_the_load(folder: Path) -> None:
    (folder / ".postil").write_text("in the way")
    first = _build(folder)
    second = _build(folder)
    assert first[0] == second[0]
    _assert_equal(second[1], first[1])


def test_a_full_disk_does_not_fail_the_load(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.os, "fsync", fail)
    with caplog.at_level(logging.INFO):
        loaded, _ = _build(folder)
    assert loaded == ["embed", "up", "odd"]
    assert "No space left on device" in caplog.text
    assert _files(folder) == []


def test_a_header_too_long_for_its_room_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_LEAST_HEADER_BYTES", 16)
    _build(folder)
    assert _files(folder) == []


def test_a_load_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "model")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.norm.weight"]
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=r"model\.norm"):
        load_model(folder, device=CPU, dtype=torch.float32, quantization="int4")
    assert _files(folder) == []


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    _cached(folder).parent.mkdir()
    old = _cached(folder).with_name("int4.safetensors.abc.part")
    young = _cached(folder).with_name("int4.safetensors.def.part")
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    _build(folder)
    assert not old.exists()
    assert young.exists()


def test_the_embedding_is_mapped_from_the_cache(folder: Path) -> None:
    _build(folder)
    kept = cache_module.QuantizedWeightCache(folder, None, "int4")
    mapped = kept.load("embed", mapped=True)
    read = kept.load("embed")
    assert mapped is not None
    assert read is not None
    assert torch.equal(mapped["codes"], read["codes"])
    assert kept.load("nothing") is None


def test_an_unknown_quantization_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="int3"):
        linear_scheme("int3", device=CPU, dtype=torch.float32)  # type: ignore[arg-type]
