"""Rotary positions (arXiv 2104.09864), the first half of a head rotated against the second."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from inference.layers.rope_scaling import frequencies
from inference.rope_config import RopeConfig


class Rotation(NamedTuple):
    """The rotation of each token: both (tokens, 1, rotary_dim).

    `sin` is negative in its first half: what `rotate` needs.
    """

    cos: Tensor
    sin: Tensor


class Rotary(nn.Module):
    """Turns positions into rotations, once for all layers of a forward pass.

    The angles are computed from the positions, not looked up: it takes three small kernels, no
    memory, and knows no longest context.

    Args:
        config: the model's rotary positions.
        served_tokens: the longest context that will be served.
        device: where positions come from.
        dtype: what the model computes in.
    """

    def __init__(
        self,
        config: RopeConfig,
        *,
        served_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        half, self._factor = frequencies(config, served_tokens)
        # The sine of a negative angle is negative, its cosine is not: both come out as needed.
        both = torch.cat([-half, half]).to(device)
        self.register_buffer("_frequencies", both, persistent=False)
        self._frequencies: Tensor
        self._dtype = dtype

    def forward(self, positions: Tensor) -> Rotation:
        """Rotations for positions (tokens,)."""
        angles = positions[:, None, None].float() * self._frequencies
        cos, sin = angles.cos(), angles.sin()
        if self._factor != 1.0:
            cos, sin = cos * self._factor, sin * self._factor
        return Rotation(cos.to(self._dtype), sin.to(self._dtype))


def rotate(heads: Tensor, rotation: Rotation) -> Tensor:
    """Apply rotations to heads (tokens, heads, head_dim), or to the first values of each."""
    cos, sin = rotation
    rotary_dim = cos.shape[-1]
    if rotary_dim == heads.shape[-1]:
        return _rotate_whole(heads, cos, sin)
    rotated = _rotate_whole(heads[..., :rotary_dim], cos, sin)
    return torch.cat([rotated, heads[..., rotary_dim:]], dim=-1)


def _rotate_whole(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    swapped = heads.roll(heads.shape[-1] // 2, -1)
    return torch.addcmul(heads * cos, swapped, sin)
