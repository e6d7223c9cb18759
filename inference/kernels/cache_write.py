"""Store the keys and values of a step in the paged cache, in one pass."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor


def write_cache(keys: Tensor, values: Tensor, slots: Tensor, key: Tensor, value: Tensor) -> None:
    """Store each token's key and value in its slot.

    Args:
        keys: (slots, kv_heads, head_dim), contiguous; written.
        values: the same.
        slots: (tokens,) int64.
        key: (tokens, kv_heads, head_dim), each token's heads contiguous.
        value: the same.
    """
    tokens, heads, head_dim = key.shape
    size = heads * head_dim
    _write[(tokens,)](
        keys,
        values,
        slots,
        key,
        value,
        key.stride(0),
        value.stride(0),
        size=size,
        block=triton.next_power_of_2(size),
    )


@triton.jit
def _write(
    keys: tl.tensor,
    values: tl.tensor,
    slots: tl.tensor,
    key: tl.tensor,
    value: tl.tensor,
    key_stride: tl.tensor,
    value_stride: tl.tensor,
    size: tl.constexpr,
    block: tl.constexpr,
) -> None:
    token = tl.program_id(0).to(tl.int64)
    slot = tl.load(slots + token)
    index = tl.arange(0, block)
    inside = index < size
    new_key = tl.load(key + token * key_stride + index, mask=inside)
    new_value = tl.load(value + token * value_stride + index, mask=inside)
    tl.store(keys + slot * size + index, new_key.to(keys.dtype.element_ty), mask=inside)
    tl.store(values + slot * size + index, new_value.to(values.dtype.element_ty), mask=inside)
