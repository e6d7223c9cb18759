"""Fused layers against the plain ones; `test_interpreted.py` runs it in the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from inference.attention.paged import PagedStep
from inference.kernels.elementwise import add_norm, gate
from inference.kernels.fused_layer import FusedLayer, fuse_layers
from inference.kernels.paged_decode import PagedRows
from inference.kernels.row_linear import Norm, row_linear
from inference.kv_cache.cache import KVCache
from inference.models.registry import load_model
from inference.runner.layer_fusion import fuse

CPU = torch.device("cpu")
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=24)),
}


@pytest.mark.parametrize("columns", [48, 1024, 1500])
@pytest.mark.parametrize("with_norm", [False, True])
def test_row_linear(columns: int, with_norm: bool) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(1, columns), torch.randn(70, columns) / 40, torch.randn(70)
    scale, residual = torch.randn(columns), torch.randn(1, 70)
    norm = Norm(scale, 1e-5) if with_norm else None
    into = functional.rms_norm(x, (columns,), scale, 1e-5) if with_norm else x
    plain = functional.linear(into, weight, bias)
    close = {"atol": 1e-3, "rtol": 1e-4}
    torch.testing.assert_close(row_linear(x, weight, bias, norm=norm), plain, **close)
    torch.testing.assert_close(
        row_linear(x, weight, bias, norm=norm, residual=residual), plain + residual, **close
    )
    gates, ups = plain.chunk(2, dim=-1)
    torch.testing.assert_close(
        row_linear(x, weight, bias, norm=norm, gated=True), functional.silu(gates) * ups, **close
    )


def test_between_the_linear_layers() -> None:
    torch.manual_seed(0)
    x, delta, weight = torch.randn(3, 72), torch.randn(3, 72), torch.randn(72)
    total, normed = add_norm(x, delta, weight, 1e-6)
    torch.testing.assert_close(total, x + delta)
    torch.testing.assert_close(normed, functional.rms_norm(x + delta, (72,), weight, 1e-6))
    gates, ups = x.chunk(2, dim=-1)
    torch.testing.assert_close(gate(x), functional.silu(gates) * ups)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_fused_layers_compute_what_plain_ones_do(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    for parameter in model.parameters():
        parameter.uniform_(-0.5, 0.5)
    model.save_pretrained(tmp_path)
    plain = load_model(tmp_path, device=CPU, dtype=torch.float32)
    fused = load_model(tmp_path, device=CPU, dtype=torch.float32)
    assert len(fuse_layers(fused)) == 2
    table = [2, 0, 3]
    tables = torch.tensor([table] * 3, dtype=torch.int32)
    caches = [
        KVCache(plain.attention_specs, num_blocks=4, block_size=4, dtype=torch.float32, device=CPU)
        for _ in range(2)
    ]
    done = 0
    for count in (3, 1, 2, 1):
        positions = torch.arange(done, done + count)
        slots = torch.tensor([table[at // 4] * 4 + at % 4 for at in positions.tolist()])
        tokens = torch.randint(0, 64, (count,))
        outputs = []
        for model, cache in zip((plain, fused), caches, strict=True):
            step = PagedStep(cache, slots, PagedRows(tables[:count], positions, 4))
            outputs.append(model.logits(model(tokens, positions, step)))
        torch.testing.assert_close(outputs[0], outputs[1], atol=1e-3, rtol=1e-4)
        done += count


def _recompute(compute: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    return lambda: None, compute()


@torch.no_grad()
def test_layers_are_fused_where_they_are_right(tmp_path: Path) -> None:
    MODELS["llama"]().save_pretrained(tmp_path)
    model = load_model(tmp_path, device=CPU, dtype=torch.float32)
    specs = model.attention_specs
    cache = KVCache(specs, num_blocks=1, block_size=16, dtype=torch.float32, device=CPU)
    fuse(model, cache, scratch_block=0, record=_recompute)
    assert all(isinstance(layer, FusedLayer) for layer in model.layers)


@pytest.mark.expects_logs
@torch.no_grad()
def test_layers_stay_plain_where_they_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MODELS["llama"]().save_pretrained(tmp_path)
    model = load_model(tmp_path, device=CPU, dtype=torch.float32)
    layers = list(model.layers)
    specs = model.attention_specs
    cache = KVCache(specs, num_blocks=1, block_size=16, dtype=torch.float32, device=CPU)
    monkeypatch.setattr("inference.kernels.fused_layer.gate", lambda x: x[:, : x.shape[1] // 2])
    fuse(model, cache, scratch_block=0, record=_recompute)
    assert all(now is before for now, before in zip(model.layers, layers, strict=True))
