"""A linear layer on a single row, with what stands before and after it in a decoder.

One row times a matrix is bound by reading the matrix. Every other kernel beside it only adds its
launch and its wait, so the norm before, the residual after and the gate are done in the same pass.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

# Columns read at a time: enough loads are under way to hide the memory's latency.
_COLUMNS = 1024


class Norm(NamedTuple):
    """A root mean square norm: (in_features,) weight, and what is added to the mean square."""

    weight: Tensor
    epsilon: float


def row_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    norm: Norm | None = None,
    residual: Tensor | None = None,
    gated: bool = False,
) -> Tensor:
    """Residual + norm(x) @ weight.T + bias, or silu(gate) * up of its two halves.

    Args:
        x: (1, in_features), contiguous.
        weight: (rows, in_features), contiguous.
        bias: (rows,).
        norm: of the input; None: it is taken as it is.
        residual: (1, out_features) to add; not with `gated`.
        gated: the rows are gates, then as many ups; half as many features come out.

    Returns:
        (1, out_features) in the type of `x`; sums are in float32.
    """
    rows, columns = weight.shape
    features = rows // 2 if gated else rows
    output = torch.empty((1, features), dtype=x.dtype, device=x.device)
    # More programs than multiprocessors, with as many rows each as that leaves.
    block_rows = 4 if features <= 2048 or gated else 8
    _row_linear[(triton.cdiv(features, block_rows),)](
        x,
        weight,
        weight if bias is None else bias,
        weight if norm is None else norm.weight,
        weight if residual is None else residual,
        output,
        epsilon=0.0 if norm is None else norm.epsilon,
        features=features,
        columns=columns,
        has_bias=bias is not None,
        has_norm=norm is not None,
        has_residual=residual is not None,
        gated=gated,
        block_rows=block_rows,
        block_columns=min(triton.next_power_of_2(columns), _COLUMNS),
        num_warps=4,
    )
    return output


@triton.jit
def _row_linear(
    x: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    norm_weight: tl.tensor,
    residual: tl.tensor,
    output: tl.tensor,
    epsilon: tl.constexpr,
    features: tl.constexpr,
    columns: tl.constexpr,
    has_bias: tl.constexpr,
    has_norm: tl.constexpr,
    has_residual: tl.constexpr,
    gated: tl.constexpr,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
) -> None:
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    in_rows = row < features
    at = row.to(tl.int64)[:, None] * columns
    sums = tl.zeros((block_rows, block_columns), tl.float32)
    up_sums = tl.zeros((block_rows, block_columns), tl.float32)
    squares = tl.zeros((block_columns,), tl.float32)
    for first in tl.static_range(0, columns, block_columns):
        column = first + tl.arange(0, block_columns)
        in_columns = column < columns
        inside = in_rows[:, None] & in_columns[None, :]
        some = tl.load(weight + at + column[None, :], mask=inside, other=0.0)
        values = tl.load(x + column, mask=in_columns, other=0.0).to(tl.float32)
        if has_norm:
            squares += values * values
            values *= tl.load(norm_weight + column, mask=in_columns, other=0.0).to(tl.float32)
        sums += some.to(tl.float32) * values[None, :]
        if gated:
            up_at = at + features * columns + column[None, :]
            up = tl.load(weight + up_at, mask=inside, other=0.0)
            up_sums += up.to(tl.float32) * values[None, :]
    result = tl.sum(sums, axis=1)
    up_result = tl.sum(up_sums, axis=1)
    if has_norm:
        scale = tl.rsqrt(tl.sum(squares, axis=0) / columns + epsilon)
        result *= scale
        up_result *= scale
    if has_bias:
        result += tl.load(bias + row, mask=in_rows, other=0.0).to(tl.float32)
        if gated:
            up_result += tl.load(bias + features + row, mask=in_rows, other=0.0).to(tl.float32)
    if gated:
        result = result / (1.0 + tl.exp(-result)) * up_result
    if has_residual:
        result += tl.load(residual + row, mask=in_rows, other=0.0).to(tl.float32)
    tl.store(output + row, result.to(output.dtype.element_ty), mask=in_rows)
