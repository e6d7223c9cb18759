"""Between the projection to heads and attention: norm, rotation and the cache, in one pass."""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor


class Rotated(NamedTuple):
    """What is done to query and key heads.

    Attributes:
        cos: (tokens, 1, rotary_dim).
        sin: the same, negative in its first half.
        norm_weight: (query and key heads, head_dim) of their root mean square norm; None: no norm.
        epsilon: added to the mean square.
    """

    cos: Tensor
    sin: Tensor
    norm_weight: Tensor | None
    epsilon: float


def rotate_and_write(
    heads: Tensor, num_heads: int, rotated: Rotated, keys: Tensor, values: Tensor, slots: Tensor
) -> Tensor:
    """Normalise and rotate queries and keys, and store keys and values in the cache.

    Args:
        heads: (tokens, num_heads + 2 * kv_heads, head_dim), contiguous: queries, keys, values.
        num_heads: query heads.
        rotated: what is done to queries and keys.
        keys: (slots, kv_heads, head_dim), contiguous; written.
        values: the same.
        slots: (tokens,) int64.

    Returns:
        The queries, (tokens, num_heads, head_dim).
    """
    tokens, total, head_dim = heads.shape
    query = torch.empty((tokens, num_heads, head_dim), dtype=heads.dtype, device=heads.device)
    norm_weight = rotated.norm_weight
    _rotate_and_write[(tokens, total)](
        heads,
        rotated.cos,
        rotated.sin,
        heads if norm_weight is None else norm_weight,
        query,
        keys,
        values,
        slots,
        epsilon=rotated.epsilon,
        has_norm=norm_weight is not None,
        num_heads=num_heads,
        kv_heads=keys.shape[1],
        head_dim=head_dim,
        rotary_dim=rotated.cos.shape[-1],
        block=triton.next_power_of_2(head_dim),
        num_warps=1,
    )
    return query


@triton.jit
def _rotate_and_write(
    heads: tl.tensor,
    cos: tl.tensor,
    sin: tl.tensor,
    norm_weight: tl.tensor,
    query: tl.tensor,
    keys: tl.tensor,
    values: tl.tensor,
    slots: tl.tensor,
    epsilon: tl.constexpr,
    has_norm: tl.constexpr,
    num_heads: tl.constexpr,
    kv_heads: tl.constexpr,
    head_dim: tl.constexpr,
    rotary_dim: tl.constexpr,
    block: tl.constexpr,
) -> None:
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    dim = tl.arange(0, block)
    inside = dim < head_dim
    at = heads + (token * (num_heads + 2 * kv_heads) + head) * head_dim
    own = tl.load(at + dim, mask=inside, other=0.0)
    if head >= num_heads + kv_heads:
        slot = tl.load(slots + token)
        target = (slot * kv_heads + head - num_heads - kv_heads) * head_dim
        tl.store(values + target + dim, own.to(values.dtype.element_ty), mask=inside)
    else:
        # Each value is rotated against the one half a turn away.
        turns = dim < rotary_dim
        partner = tl.where(turns, (dim + rotary_dim // 2) % rotary_dim, dim)
        result = own.to(tl.float32)
        other = tl.load(at + partner, mask=inside, other=0.0).to(tl.float32)
        if has_norm:
            scale = tl.rsqrt(tl.sum(result * result, axis=0) / head_dim + epsilon)
            weights = norm_weight + head * head_dim
            result *= scale * tl.load(weights + dim, mask=inside, other=0.0).to(tl.float32)
            other *= scale * tl.load(weights + partner, mask=inside, other=0.0).to(tl.float32)
        angle = token * rotary_dim + dim
        cosine = tl.load(cos + angle, mask=turns, other=1.0).to(tl.float32)
        sine = tl.load(sin + angle, mask=turns, other=0.0).to(tl.float32)
        result = result * cosine + other * sine
        if head < num_heads:
            target = (token * num_heads + head) * head_dim
            tl.store(query + target + dim, result.to(query.dtype.element_ty), mask=inside)
        else:
            slot = tl.load(slots + token)
            target = (slot * kv_heads + head - num_heads) * head_dim
            tl.store(keys + target + dim, result.to(keys.dtype.element_ty), mask=inside)
