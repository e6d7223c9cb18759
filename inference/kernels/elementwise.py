"""What stands between a decoder's linear layers, each in one pass."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def add_norm(x: Tensor, delta: Tensor, weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Add to the residual stream and normalise it (root mean square).

    Args:
        x: (tokens, size), contiguous.
        delta: (tokens, size) to add, contiguous.
        weight: (size,).
        epsilon: added to the mean square.

    Returns:
        The sum and the sum's norm, both (tokens, size).
    """
    tokens, size = x.shape
    total, normed = torch.empty_like(x), torch.empty_like(x)
    _add_norm[(tokens,)](
        x,
        delta,
        weight,
        total,
        normed,
        epsilon=epsilon,
        size=size,
        block=triton.next_power_of_2(size),
        num_warps=8 if size > 1024 else 4,
    )
    return total, normed


def gate(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of (tokens, 2 * size), contiguous; (tokens, size)."""
    tokens, size = gate_up.shape[0], gate_up.shape[1] // 2
    output = torch.empty((tokens, size), dtype=gate_up.dtype, device=gate_up.device)
    block = min(triton.next_power_of_2(size), 1024)
    _gate[(tokens, triton.cdiv(size, block))](gate_up, output, size=size, block=block)
    return output


@triton.jit
def _add_norm(
    x: tl.tensor,
    delta: tl.tensor,
    weight: tl.tensor,
    total: tl.tensor,
    normed: tl.tensor,
    epsilon: tl.constexpr,
    size: tl.constexpr,
    block: tl.constexpr,
) -> None:
    at = tl.program_id(0).to(tl.int64) * size
    column = tl.arange(0, block)
    inside = column < size
    both = tl.load(x + at + column, mask=inside, other=0.0).to(tl.float32)
    both += tl.load(delta + at + column, mask=inside, other=0.0).to(tl.float32)
    rounded = both.to(total.dtype.element_ty)
    tl.store(total + at + column, rounded, mask=inside)
    values = rounded.to(tl.float32)
    scale = tl.rsqrt(tl.sum(values * values, axis=0) / size + epsilon)
    factors = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    result = values * scale * factors
    tl.store(normed + at + column, result.to(normed.dtype.element_ty), mask=inside)


@triton.jit
def _gate(gate_up: tl.tensor, output: tl.tensor, size: tl.constexpr, block: tl.constexpr) -> None:
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * block + tl.arange(0, block)
    inside = column < size
    at = gate_up + token * 2 * size + column
    gates = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    ups = tl.load(at + size, mask=inside, other=0.0).to(tl.float32)
    result = gates / (1.0 + tl.exp(-gates)) * ups
    tl.store(output + token * size + column, result.to(output.dtype.element_ty), mask=inside)
