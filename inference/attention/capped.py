"""Attention with capped scores (Gemma 2), which no fused kernel of PyTorch offers."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.attention.interface import AttentionSpec

# Scores held at once: 64 MiB.
_SCORES_AT_ONCE = 1 << 24


def capped_attention(
    spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> Tensor:
    """Attention of one sequence, worked out in the open and in float32.

    Args:
        spec: the layer's attention, with a cap.
        query: (count, num_heads, head_dim).
        key: (num_kv_heads, length, head_dim).
        value: the same.
        mask: (count, length) to add to the scores; None: every key is seen.

    Returns:
        (count, num_heads, head_dim) in the query's type.
    """
    cap = spec.logit_softcap
    assert cap is not None
    groups = spec.num_heads // spec.num_kv_heads
    queries = query.view(-1, spec.num_kv_heads, groups, spec.head_dim)
    keys = key.float().transpose(1, 2)
    values = value.float()
    output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    rows_at_once = max(_SCORES_AT_ONCE // (spec.num_heads * key.shape[1]), 1)
    for first in range(0, query.shape[0], rows_at_once):
        some = queries[first : first + rows_at_once].float().permute(1, 2, 0, 3)
        count = some.shape[2]
        folded = some.reshape(spec.num_kv_heads, groups * count, spec.head_dim)
        scores = torch.matmul(folded, keys).mul_(spec.scale / cap).tanh_().mul_(cap)
        if mask is not None:
            scores += mask[first : first + count].repeat(groups, 1)
        part = torch.matmul(scores.softmax(dim=-1), values).view(some.shape)
        output[first : first + count] = part.permute(2, 0, 1, 3).reshape(
            count, spec.num_heads, spec.head_dim
        )
    return output
