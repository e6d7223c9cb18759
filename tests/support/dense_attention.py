"""Attention worked out plainly, to compare the engine's with."""

from __future__ import annotations

import torch
from torch import Tensor

from inference.attention.interface import AttentionSpec


def dense_attention(spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of one whole sequence in float64.

    Args:
        spec: heads, scale, window and cap.
        query: (count, num_heads, head_dim), the last `count` positions of the sequence.
        key: (length, num_kv_heads, head_dim).
        value: the same.

    Returns:
        (count, num_heads, head_dim) float64.
    """
    groups = spec.num_heads // spec.num_kv_heads
    count, length = query.shape[0], key.shape[0]
    keys = key.double().repeat_interleave(groups, dim=1)
    values = value.double().repeat_interleave(groups, dim=1)
    scores = torch.einsum("qhd,khd->hqk", query.double(), keys) * spec.scale
    if spec.logit_softcap is not None:
        scores = spec.logit_softcap * torch.tanh(scores / spec.logit_softcap)
    position = torch.arange(length - count, length).unsqueeze(1)
    others = torch.arange(length).unsqueeze(0)
    hidden = others > position
    if spec.sliding_window is not None:
        hidden |= others <= position - spec.sliding_window
    scores.masked_fill_(hidden, float("-inf"))
    return torch.einsum("hqk,khd->qhd", scores.softmax(dim=-1), values)
