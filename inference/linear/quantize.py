"""Rounding weights to few bits, and back.

A weight is (out_features, in_features). int8 has one scale for each output; int4 has a scale and a
zero point for each group of inputs of each output: weight = scale * (code - zero_point).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GROUP_SIZES = (64, 32)
"""Inputs that share an int4 scale, best first. What none of them divides is not made int4."""

_MOST_INT8 = 127
_MOST_INT4 = 15
# Ranges tried for each group, as shares of the one that its weights span: giving up the outermost
# values makes the steps finer. Relative error in groups of 64, normal weights / Student's t with 4
# degrees of freedom: .0912 / .1191 by plain rounding, .0876 / .1154 by the best of these.
_RANGES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.70)
_CHUNK_ELEMENTS = 1 << 18


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """One scale for each output.

    Attributes:
        codes: (out_features, in_features) int8, -127 to 127.
        scales: (out_features,) float32.
    """

    codes: Tensor
    scales: Tensor

    def dequantize(self) -> Tensor:
        """The weight in float32."""
        return self.codes.float() * self.scales[:, None]


@dataclass(frozen=True, slots=True)
class Int4Weight:
    """A scale and a zero point for each group of inputs.

    Attributes:
        codes: (out_features, in_features / 2) uint8: the even input in the low four bits.
        scales: (out_features, groups) float32.
        zero_points: (out_features, groups) uint8, 0 to 15.
    """

    codes: Tensor
    scales: Tensor
    zero_points: Tensor

    @property
    def group_size(self) -> int:
        """Inputs that share a scale."""
        return 2 * self.codes.shape[1] // self.scales.shape[1]

    def unpacked_codes(self) -> Tensor:
        """(out_features, in_features) uint8, 0 to 15."""
        return torch.stack((self.codes & 15, self.codes >> 4), dim=-1).flatten(1)

    def dequantize(self) -> Tensor:
        """The weight in float32."""
        out_features, groups = self.scales.shape
        codes = self.unpacked_codes().view(out_features, groups, -1).float()
        return ((codes - self.zero_points[..., None]) * self.scales[..., None]).flatten(1)


def group_size(in_features: int) -> int | None:
    """The size of int4 groups that fits so many inputs; None: no group does."""
    return next((size for size in GROUP_SIZES if in_features % size == 0), None)


def quantize_int8(weight: Tensor) -> Int8Weight:
    """Round each output's weights to 255 steps between minus and plus its largest."""
    codes = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(weight.shape[0], device=weight.device)
    for rows in _row_chunks(weight):
        part = weight[rows].to(torch.float32, copy=True)
        most = part.abs().amax(dim=1)
        scales[rows] = most / _MOST_INT8
        # An output of nothing but zeros keeps a scale of 0.
        part.mul_(torch.where(most > 0, _MOST_INT8 / most, 0.0)[:, None])
        codes[rows] = part.round_().to(torch.int8)
    return Int8Weight(codes, scales)


def quantize_int4(weight: Tensor, group: int) -> Int4Weight:
    """Round each group's weights to 16 steps, over the range that leaves the least squared error.

    For each range tried, the zero point is the one that lets zero be exact, and the scale is then
    fitted to the rounded weights by least squares.
    """
    out_features, in_features = weight.shape
    groups = in_features // group
    codes = torch.empty((out_features, in_features // 2), dtype=torch.uint8, device=weight.device)
    scales = torch.empty((out_features, groups), device=weight.device)
    zero_points = torch.empty((out_features, groups), dtype=torch.uint8, device=weight.device)
    for rows in _row_chunks(weight):
        part = weight[rows].float().view(-1, groups, group)
        steps, scales[rows], zeros = _best_range(part)
        zero_points[rows] = zeros.to(torch.uint8)
        pairs = steps.add_(zeros[..., None]).to(torch.uint8).view(-1, in_features // 2, 2)
        codes[rows] = pairs[..., 0] | (pairs[..., 1] << 4)
    return Int4Weight(codes, scales, zero_points)


def _best_range(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes less zero point (rows, groups, group), scales and zero points (rows, groups)."""
    low = weight.amin(dim=-1).clamp_(max=0.0)
    high = weight.amax(dim=-1).clamp_(min=0.0)
    steps = torch.zeros_like(weight)
    scale, zero_point = torch.zeros_like(low), torch.zeros_like(low)
    gain = torch.full_like(low, -1.0)
    for share in _RANGES:
        inverse = _MOST_INT4 / ((high - low) * share).clamp_(min=torch.finfo().tiny)
        zero = (low * share * inverse).round_().neg_().clamp_(0, _MOST_INT4)
        tried = (weight * inverse[..., None]).round_()
        tried = torch.minimum(tried, (_MOST_INT4 - zero)[..., None])
        tried = torch.maximum(tried, zero.neg()[..., None])
        # With the best scale dot / square, the squared error is |weight|^2 - dot^2 / square.
        dot = (weight * tried).sum(-1)
        square = tried.square().sum(-1)
        fitted = dot / square.clamp(min=1.0)
        better = fitted * dot > gain
        gain = torch.where(better, fitted * dot, gain)
        scale = torch.where(better, fitted, scale)
        zero_point = torch.where(better, zero, zero_point)
        steps = torch.where(better[..., None], tried, steps)
    return steps, scale, zero_point


def _row_chunks(weight: Tensor) -> list[slice]:
    """Slices of rows small enough that what is computed on the way stays in the processor's cache.

    On other devices one chunk is 64 times as large.
    """
    elements = _CHUNK_ELEMENTS * (1 if weight.device.type == "cpu" else 64)
    rows = max(1, elements // max(1, weight.shape[1]))
    return [slice(row, row + rows) for row in range(0, weight.shape[0], rows)]
