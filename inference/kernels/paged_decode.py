"""Attention of single tokens over the paged cache, with the context split among programs.

Flash-decoding (https://crfm.stanford.edu/2023/10/12/flashdecoding.html): one token's attention is
bound by reading its keys and values, and one program cannot read fast enough. So each reads a part
of the context for all query heads that share a key head, with a running softmax (arXiv 1805.02867),
and a second kernel combines the parts by their sums.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from inference.attention.interface import AttentionSpec

# Bytes of a head up to which a program reads the longer tile: shared memory holds some of them.
_LONG_TILE_BYTES = 256
# tl.dot wants at least this many rows.
_LEAST_ROWS = 16
_MOST_SPLITS = 32


class PagedRows(NamedTuple):
    """Where the keys of each query lie.

    Attributes:
        block_tables: (rows, blocks) int32.
        positions: (rows,) int64; a query sees the keys up to and including its position.
        block_size: positions in a block.
    """

    block_tables: Tensor
    positions: Tensor
    block_size: int


def split_count(rows: int, kv_heads: int, processors: int) -> int:
    """Into how many parts to split each context so that the device is busy.

    Powers of two, because each number is a kernel of its own to compile; parts of short contexts
    may be empty.

    Args:
        rows: queries.
        kv_heads: heads of keys.
        processors: the device's multiprocessors.
    """
    wanted = 2 * processors // (rows * kv_heads)
    return min(1 << max(wanted.bit_length() - 1, 0), _MOST_SPLITS)


def paged_decode(
    spec: AttentionSpec,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    rows: PagedRows,
    splits: int,
) -> Tensor:
    """Attend with one query in each row.

    Args:
        spec: the layer's attention.
        query: (rows, num_heads, head_dim), each row's heads contiguous.
        keys: (slots, kv_heads, head_dim), contiguous.
        values: the same.
        rows: where the keys of each row lie.
        splits: parts of each context.

    Returns:
        (rows, num_heads, head_dim) in the query's type.
    """
    count = query.shape[0]
    output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
    shape = (count, spec.num_heads, splits)
    partial = torch.empty((*shape, spec.head_dim), dtype=torch.float32, device=query.device)
    sums = torch.empty(shape, dtype=torch.float32, device=query.device)
    groups = spec.num_heads // spec.num_kv_heads
    block_dim = max(triton.next_power_of_2(spec.head_dim), 16)
    _part[(count, spec.num_kv_heads, splits)](
        query,
        keys,
        values,
        rows.block_tables,
        rows.positions,
        output,
        partial,
        sums,
        query.stride(0),
        rows.block_tables.stride(0),
        scale=spec.scale,
        softcap=spec.logit_softcap or 0.0,
        window=spec.sliding_window or 0,
        splits=splits,
        block_size=rows.block_size,
        kv_heads=spec.num_kv_heads,
        groups=groups,
        block_groups=max(triton.next_power_of_2(groups), _LEAST_ROWS),
        head_dim=spec.head_dim,
        block_dim=block_dim,
        tile=64 if spec.head_dim * keys.element_size() <= _LONG_TILE_BYTES else 32,
        num_warps=4,
    )
    if splits > 1:
        _combine[(count, spec.num_heads)](
            partial,
            sums,
            output,
            splits=splits,
            block_splits=triton.next_power_of_2(splits),
            heads=spec.num_heads,
            head_dim=spec.head_dim,
            block_dim=block_dim,
            num_warps=2,
        )
    return output


@triton.jit
def _part(
    query: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    block_tables: tl.tensor,
    positions: tl.tensor,
    output: tl.tensor,
    partial: tl.tensor,
    sums: tl.tensor,
    query_stride: tl.tensor,
    table_stride: tl.tensor,
    scale: tl.constexpr,
    softcap: tl.constexpr,
    window: tl.constexpr,
    splits: tl.constexpr,
    block_size: tl.constexpr,
    kv_heads: tl.constexpr,
    groups: tl.constexpr,
    block_groups: tl.constexpr,
    head_dim: tl.constexpr,
    block_dim: tl.constexpr,
    tile: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    kv_head = tl.program_id(1)
    split = tl.program_id(2)
    length = tl.load(positions + row).to(tl.int32) + 1
    oldest = 0
    if window > 0:
        oldest = tl.maximum(length - window, 0)
    # Whole tiles for each split; the last ones may get none.
    share = tl.cdiv(tl.cdiv(length - oldest, splits), tile) * tile
    begin = oldest + split * share
    end = tl.minimum(begin + share, length)

    group = tl.arange(0, block_groups)
    dim = tl.arange(0, block_dim)
    heads = kv_head * groups + group
    query_mask = (group < groups)[:, None] & (dim < head_dim)[None, :]
    query_at = row * query_stride + heads[:, None] * head_dim + dim[None, :]
    queries = tl.load(query + query_at, mask=query_mask, other=0.0)

    highest = tl.full((block_groups,), -1.0e30, tl.float32)
    total = tl.zeros((block_groups,), tl.float32)
    mixed = tl.zeros((block_groups, block_dim), tl.float32)
    for first in range(begin, end, tile):
        position = first + tl.arange(0, tile)
        seen = position < end
        block = tl.load(
            block_tables + row * table_stride + position // block_size, mask=seen, other=0
        ).to(tl.int64)
        slot = block * block_size + position % block_size
        at = (slot * kv_heads + kv_head)[:, None] * head_dim + dim[None, :]
        inside = seen[:, None] & (dim < head_dim)[None, :]
        key = tl.load(keys + at, mask=inside, other=0.0).to(queries.dtype)
        value = tl.load(values + at, mask=inside, other=0.0).to(queries.dtype)
        scores = tl.dot(queries, tl.trans(key), input_precision="ieee") * scale
        if softcap > 0.0:
            # tanh(x) = 1 - 2 / (exp(2x) + 1); x is bounded so that the exponential is finite.
            bounded = tl.minimum(tl.maximum(scores / softcap, -40.0), 40.0)
            scores = softcap * (1.0 - 2.0 / (tl.exp2(2.0 * 1.4426950408889634 * bounded) + 1.0))
        scores = tl.where(seen[None, :], scores * 1.4426950408889634, -1.0e30)
        new_highest = tl.maximum(highest, tl.max(scores, axis=1))
        weights = tl.where(seen[None, :], tl.exp2(scores - new_highest[:, None]), 0.0)
        keep = tl.exp2(highest - new_highest)
        total = total * keep + tl.sum(weights, axis=1)
        mixed = mixed * keep[:, None] + tl.dot(
            weights.to(queries.dtype), value, input_precision="ieee"
        )
        highest = new_highest

    if splits == 1:
        mixed = mixed / total[:, None]
        output_at = (row * kv_heads * groups + heads)[:, None] * head_dim + dim[None, :]
        tl.store(output + output_at, mixed.to(output.dtype.element_ty), mask=query_mask)
    else:
        # An empty split has a sum of zero: its logarithm is set so low that it weighs nothing.
        empty = total == 0.0
        safe = tl.where(empty, 1.0, total)
        part = (row * kv_heads * groups + heads) * splits + split
        tl.store(
            partial + part[:, None] * head_dim + dim[None, :],
            mixed / safe[:, None],
            mask=query_mask,
        )
        tl.store(
            sums + part, tl.where(empty, -1.0e30, highest + tl.log2(safe)), mask=group < groups
        )


@triton.jit
def _combine(
    partial: tl.tensor,
    sums: tl.tensor,
    output: tl.tensor,
    splits: tl.constexpr,
    block_splits: tl.constexpr,
    heads: tl.constexpr,
    head_dim: tl.constexpr,
    block_dim: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    at = row * heads + tl.program_id(1)
    split = tl.arange(0, block_splits)
    dim = tl.arange(0, block_dim)
    inside = (split < splits)[:, None] & (dim < head_dim)[None, :]
    logs = tl.load(sums + at * splits + split, mask=split < splits, other=-1.0e30)
    parts = tl.load(
        partial + (at * splits + split)[:, None] * head_dim + dim[None, :], mask=inside, other=0.0
    )
    weights = tl.exp2(logs - tl.max(logs, axis=0))
    mixed = tl.sum(parts * weights[:, None], axis=0) / tl.sum(weights, axis=0)
    tl.store(output + at * head_dim + dim, mixed.to(output.dtype.element_ty), mask=dim < head_dim)
