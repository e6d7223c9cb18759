"""The two ways to compute a mixture of experts give the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inference.layers.mixture import GroupedExperts, ListedExperts, Router
from inference.layers.mlp import GatedMLP
from inference.linear.dense import DenseLinear
from support.parity import load
from support.tiny_models import TINY_MODELS

_EXPERTS, _HIDDEN, _INTERMEDIATE = 6, 32, 16


@pytest.mark.parametrize("tokens", [1, 7, 40])
def test_grouped_experts_give_what_listed_ones_give(tokens: int) -> None:
    generator = torch.Generator().manual_seed(tokens)
    gate_up = torch.randn(_EXPERTS, 2 * _INTERMEDIATE, _HIDDEN, generator=generator)
    down = torch.randn(_EXPERTS, _HIDDEN, _INTERMEDIATE, generator=generator)
    router = Router(torch.randn(_EXPERTS, _HIDDEN, generator=generator), 2, normalize=True)
    x = torch.randn(tokens, _HIDDEN, generator=generator)
    shares, experts = router(x)

    listed = ListedExperts(
        [
            GatedMLP(DenseLinear(gate_up[expert]), DenseLinear(down[expert]), "silu")
            for expert in range(_EXPERTS)
        ]
    )
    grouped = GroupedExperts(gate_up, down, "silu")
    torch.testing.assert_close(
        grouped(x, shares, experts), listed(x, shares, experts), rtol=1e-5, atol=1e-4
    )


def test_a_model_says_whether_a_graph_can_hold_it(tmp_path: Path) -> None:
    by_name = {tiny.name: tiny for tiny in TINY_MODELS}
    assert load(by_name["qwen3-gqa"].write(tmp_path / "dense")).graph_safe
    assert not load(by_name["qwen3_moe-normalized"].write(tmp_path / "mixture")).graph_safe
