"""Loading a model folder, and saying what is wrong with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.errors import CheckpointError, ModelError, UnsupportedModelError
from inference.models import registry
from support.parity import dense_logits, load
from support.tiny_models import TINY_MODELS, TinyModel

_TOKENS = [3, 50, 7, 90]


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return _tiny("llama-gqa").write(tmp_path / "model")


def test_every_family_is_proved() -> None:
    modules = {module for module, _ in registry._BUILDERS.values()}
    assert modules == {tiny.family for tiny in TINY_MODELS}


def test_a_family_is_imported_only_when_it_is_needed() -> None:
    code = (
        "import sys, inference.models.registry;"
        "print([name for name in sys.modules if name.startswith('inference.models.')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gemma" not in run.stdout
    assert "qwen" not in run.stdout


def test_an_unknown_architecture(llama: Path) -> None:
    _change_config(llama, architectures=["T5ForConditionalGeneration"])
    with pytest.raises(UnsupportedModelError, match=r"T5ForConditionalGeneration.*Llama"):
        load(llama)


def test_an_unknown_quantisation(llama: Path) -> None:
    _change_config(llama, quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(UnsupportedModelError, match="bitsandbytes"):
        load(llama)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 161},
        {"hidden_size": 64},
        {"intermediate_size": 81},
        {"num_hidden_layers": 4},
        {"num_hidden_layers": 1 << 30},
        {"num_key_value_heads": 4},
        {"head_dim": 16},
        {"attention_bias": True},
    ],
)
def test_a_checkpoint_of_another_shape(llama: Path, changes: dict[str, Any]) -> None:
    _change_config(llama, **changes)
    with pytest.raises(CheckpointError, match="tensor"):
        load(llama)


def test_a_missing_output_head(llama: Path) -> None:
    tensors = load_file(llama / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, llama / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lm_head\.weight"):
        load(llama)


def test_a_truncated_checkpoint(llama: Path) -> None:
    path = llama / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        load(llama)


def test_shards_give_what_one_file_gives(llama: Path) -> None:
    expected = dense_logits(load(llama), _TOKENS)
    tensors = load_file(llama / "model.safetensors")
    (llama / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {name: f"model-{index % 3}.safetensors" for index, name in enumerate(names)}
    for file_name in set(weight_map.values()):
        shard = {name: tensors[name] for name in names if weight_map[name] == file_name}
        save_file(shard, llama / file_name)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (llama / "model.safetensors.index.json").write_text(index)
    assert torch.equal(dense_logits(load(llama), _TOKENS), expected)


def test_names_without_the_prefix_of_the_model(llama: Path) -> None:
    expected = dense_logits(load(llama), _TOKENS)
    tensors = load_file(llama / "model.safetensors")
    bare = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    save_file(bare, llama / "model.safetensors")
    assert torch.equal(dense_logits(load(llama), _TOKENS), expected)


def test_the_newer_names_of_a_model_that_sees_pictures(tmp_path: Path) -> None:
    folder = _tiny("gemma3-pictures").write(tmp_path)
    expected = dense_logits(load(folder), _TOKENS)
    old, new = "language_model.model.", "model.language_model."
    tensors = load_file(folder / "model.safetensors")
    renamed = {
        new + name.removeprefix(old) if name.startswith(old) else name: tensor
        for name, tensor in tensors.items()
    }
    save_file(renamed, folder / "model.safetensors")
    assert torch.equal(dense_logits(load(folder), _TOKENS), expected)


@pytest.mark.parametrize("seed", range(12))
def test_a_checkpoint_with_changed_bytes(llama: Path, seed: int) -> None:
    """A typed error, or a model that runs."""
    path = llama / "model.safetensors"
    damaged = bytearray(path.read_bytes())
    generator = torch.Generator().manual_seed(seed)
    header_end = 8 + int.from_bytes(damaged[:8], "little")
    reach = header_end if seed % 3 else len(damaged)
    for position in torch.randint(0, reach, (3,), generator=generator).tolist():
        damaged[position] ^= 1 << int(torch.randint(0, 8, (1,), generator=generator))
    path.write_bytes(bytes(damaged))
    try:
        model = load(llama)
    except ModelError:
        return
    assert dense_logits(model, _TOKENS).shape == (len(_TOKENS), model.config.vocab_size)


def _tiny(name: str) -> TinyModel:
    return next(tiny for tiny in TINY_MODELS if tiny.name == name)


def _change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
