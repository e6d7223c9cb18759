"""Root mean square normalisation (arXiv 1910.07467)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last dimension.

    Args:
        weight: (size,), or any shape that broadcasts with what comes in, such as (heads, size)
            for heads that are normalised with different weights at once.
        epsilon: added to the mean square.
        plus_one: the weight is stored as its difference from 1 (Gemma), and applied in float32,
            where bfloat16 would lose most of that difference.
    """

    weight: Tensor

    def __init__(self, weight: Tensor, epsilon: float, *, plus_one: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            weight.float() + 1.0 if plus_one else weight, requires_grad=False
        )
        self.epsilon = epsilon
        self._in_float32 = plus_one

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., size)."""
        size = (x.shape[-1],)
        if self._in_float32:
            normed = functional.rms_norm(x.float(), size, None, self.epsilon)
            return (normed * self.weight).to(x.dtype)
        if self.weight.dim() == 1:
            return functional.rms_norm(x, size, self.weight, self.epsilon)
        return functional.rms_norm(x, size, None, self.epsilon) * self.weight


def stack_head_weights(*groups: tuple[Tensor, int]) -> Tensor:
    """One row of weights for each head, so that query and key heads are normalised in one go.

    Args:
        groups: a weight (head_dim,) and how many heads have it.

    Returns:
        (heads, head_dim).
    """
    return torch.cat([weight.expand(heads, -1) for weight, heads in groups])
