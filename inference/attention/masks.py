"""Masks to add to attention's scores: 0 where a query sees a key, minus infinity elsewhere."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def causal_mask(
    count: int,
    length: int,
    *,
    window: int | None,
    padding: int = 0,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """The mask of the last positions of a sequence, each of which sees itself and those before it.

    Args:
        count: queries.
        length: keys; the last `count` of them are the queries' own.
        window: keys that a query sees, itself included; None: all before it.
        padding: keys after the last one, which nobody sees.
        dtype: of the queries.
        device: of the queries.

    Returns:
        (count, length + padding).
    """
    past = length - count
    shape = (count, length + padding)
    mask = torch.full(shape, -math.inf, dtype=dtype, device=device).triu_(past + 1)
    if window is not None:
        mask += torch.full_like(mask, -math.inf).tril_(past - window)
    return mask
