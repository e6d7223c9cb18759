"""Forward passes are one graph: nothing in them waits for a value."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from inference.attention.interface import AttentionSpec
from support.parity import load
from support.tiny_models import ONE_OF_EACH_FAMILY, TinyModel

pytestmark = pytest.mark.slow


class _FullAttention:
    """Attention over one whole sequence, in traceable operations."""

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        groups = spec.num_heads // spec.num_kv_heads
        return scaled_dot_product_attention(
            query.transpose(0, 1),
            key.repeat_interleave(groups, 1).transpose(0, 1),
            value.repeat_interleave(groups, 1).transpose(0, 1),
            is_causal=True,
            scale=spec.scale,
        ).transpose(0, 1)


@pytest.mark.parametrize(
    "tiny",
    [tiny for tiny in ONE_OF_EACH_FAMILY if tiny.family != "qwen3_moe"],
    ids=lambda tiny: tiny.name,
)
@torch.inference_mode()
def test_a_forward_pass_is_one_graph(tiny: TinyModel, tmp_path: Path) -> None:
    model = load(tiny.write(tmp_path))
    inputs = (torch.arange(3, 40), torch.arange(37), _FullAttention())
    traced = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(traced(*inputs), model(*inputs))
