"""The greedy choice of tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def greedy_tokens(logits: Tensor) -> Tensor:
    """The likeliest token of each row, the lowest id among equals; -1 where it is not a number.

    NaN counts as the greatest value, so the one value found tells whether there is any.
    """
    highest, likeliest = logits.max(dim=-1)
    return torch.where(highest.isfinite(), likeliest, -1)
