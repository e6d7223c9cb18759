"""What a model asks of attention; how it is computed is the device's affair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """The attention of one layer.

    Attributes:
        layer: index of the layer, from 0.
        num_heads: query heads.
        num_kv_heads: heads of keys and values; divides `num_heads` (arXiv 2305.13245).
        head_dim: size of one head.
        scale: what query times key is multiplied by.
        sliding_window: how many tokens a query sees, itself included; None: all before it.
        logit_softcap: c in c * tanh(score / c) (Gemma 2); None: no cap.
    """

    layer: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    scale: float
    sliding_window: int | None = None
    logit_softcap: float | None = None


class AttentionStep(Protocol):
    """Attention during one forward pass over a batch of sequences laid end to end.

    Made by the runner, which knows where each sequence's keys and values lie.
    """

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Store keys and values in the cache and attend, causally, within each sequence.

        Args:
            spec: the layer's attention.
            query: (tokens, num_heads, head_dim), positions already applied.
            key: (tokens, num_kv_heads, head_dim), positions already applied.
            value: (tokens, num_kv_heads, head_dim).

        Returns:
            (tokens, num_heads, head_dim).
        """
