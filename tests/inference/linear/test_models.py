"""Whole models with rounded weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from inference.linear.dense import DenseEmbedding
from inference.linear.int8 import Int8Embedding
from inference.linear.interface import Quantization
from inference.linear.quantize import quantize_int4, quantize_int8
from inference.models.base import CausalLM
from inference.models.registry import load_model
from support.parity import CPU, dense_logits, greedy, make_runner

IDS = list(range(1, 41))
# Of the logits' size: inputs are rounded to 8 bits, or sums to bfloat16, in every layer.
TOLERANCE = 0.05


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.1,
        tie_word_embeddings=request.param,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


def _load(folder: Path, quantization: Quantization = "none") -> CausalLM:
    return load_model(folder, device=CPU, dtype=torch.float32, quantization=quantization)


def _error(tried: Tensor, exact: Tensor) -> float:
    return ((tried - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_a_model_answers_like_its_rounded_weights(folder: Path, quantization: Quantization) -> None:
    first = dense_logits(_load(folder, quantization), IDS)
    from_cache = dense_logits(_load(folder, quantization), IDS)
    assert torch.equal(from_cache, first)
    assert (folder / ".postil" / f"{quantization}.safetensors").is_file()
    path = folder / "model.safetensors"
    rounded = {
        name: _rounded_as(quantization, name, tensor) for name, tensor in load_file(path).items()
    }
    save_file(rounded, path, {"format": "pt"})
    assert _error(first, dense_logits(_load(folder), IDS)) < TOLERANCE


def _rounded_as(quantization: Quantization, name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() == 1:
        return tensor
    if quantization == "int8" or name == "model.embed_tokens.weight":
        return quantize_int8(tensor).dequantize()
    return quantize_int4(tensor, 64 if tensor.shape[1] % 64 == 0 else 32).dequantize()


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_embeddings_are_int8(folder: Path, quantization: Quantization) -> None:
    assert isinstance(_load(folder, quantization).get_submodule("embedding"), Int8Embedding)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_greedy_text_does_not_depend_on_how_it_is_computed(
    folder: Path, quantization: Quantization
) -> None:
    """Token by token and as one prefill, the likeliest tokens are the same but for near-ties."""
    model = _load(folder, quantization)
    written = greedy(make_runner(model), IDS, 30)
    whole = dense_logits(model, IDS + written)
    top = whole[len(IDS) - 1 : -1].topk(2, dim=-1)
    differ = top.indices[:, 0] != torch.tensor(written)
    gap = top.values[:, 0] - top.values[:, 1]
    assert not (differ & (gap > 1e-3 * whole.abs().max())).any()


def test_a_checkpoint_that_is_quantized_already(folder: Path) -> None:
    """Packed as GPTQ does, a whole model answers like its unpacked weights."""
    tensors = load_file(folder / "model.safetensors")
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith("_proj.weight"):
            codes, scales = _rounded(tensor)
            tensors[name] = (codes - 8.0) * scales.repeat_interleave(32, dim=1)
            prefix = name.removesuffix(".weight")
            packed[f"{prefix}.qweight"] = _words(codes.t()).contiguous()
            packed[f"{prefix}.qzeros"] = torch.full(
                (scales.shape[1], tensor.shape[0] // 8), 0x77777777, dtype=torch.int32
            )
            packed[f"{prefix}.scales"] = scales.half().t().contiguous()
        else:
            packed[name] = tensor
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    exact = dense_logits(_load(folder), IDS)
    save_file(packed, folder / "model.safetensors", {"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4, "group_size": 32}
    path.write_text(json.dumps(config))
    model = _load(folder)
    assert isinstance(model.get_submodule("embedding"), DenseEmbedding)
    assert _error(dense_logits(model, IDS), exact) < TOLERANCE


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric codes (out, in) and scales (out, groups) that half precision holds exactly."""
    groups = weight.view(weight.shape[0], -1, 32)
    scales = (groups.abs().amax(-1) / 7).half().float()
    codes = ((groups / scales[..., None]).round() + 8).clamp(0, 15).flatten(1)
    return codes, scales


def _words(codes: Tensor) -> Tensor:
    """(inputs, outputs) codes as (inputs / 8, outputs) words."""
    eights = codes.long().view(-1, 8, codes.shape[1])
    words = sum(eights[:, place] << (4 * place) for place in range(8))
    assert isinstance(words, Tensor)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).int()
