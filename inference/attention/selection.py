"""Chooses how attention is computed on a device."""

from __future__ import annotations

from typing import Protocol

from inference.attention.batch import Batch
from inference.attention.interface import AttentionStep
from inference.attention.sdpa import SdpaAttention
from inference.kernels.availability import triton_serves
from inference.kv_cache.cache import KVCache


class AttentionBackend(Protocol):
    """A way to compute attention."""

    def begin(self, batch: Batch) -> AttentionStep:
        """The attention of a step over `batch`."""


def select_backend(cache: KVCache) -> AttentionBackend:
    """The fastest way that serves on the cache's device: Triton's kernels, else SDPA."""
    if triton_serves(cache.device.type):
        from inference.attention.paged import PagedAttention

        return PagedAttention(cache)
    return SdpaAttention(cache, padded=cache.device.type == "mps")
