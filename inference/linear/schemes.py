"""Which layers a model is built of."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from inference.errors import UnsupportedModelError
from inference.linear import cpu
from inference.linear.cache import QuantizedWeightCache
from inference.linear.dense import DenseScheme
from inference.linear.int4 import int4_linear
from inference.linear.int8 import Int8Embedding, int8_linear
from inference.linear.interface import Embedding, Linear, LinearScheme, LoadTensor, Quantization
from inference.linear.quantize import (
    Int4Weight,
    Int8Weight,
    group_size,
    quantize_int4,
    quantize_int8,
)


def linear_scheme(
    quantization: Quantization,
    *,
    device: torch.device,
    dtype: torch.dtype,
    model_folder: Path | None = None,
    cache_folder: Path | None = None,
) -> LinearScheme:
    """Choose the layers.

    Args:
        quantization: what the weights are stored as.
        device: where they live.
        dtype: what comes in and goes out.
        model_folder: where the checkpoint is; quantised weights are cached beside it.
        cache_folder: where they are cached when that folder cannot be written.

    Raises:
        UnsupportedModelError: no such quantisation.
    """
    if quantization == "none":
        return DenseScheme(device, dtype)
    if quantization not in ("int8", "int4"):
        raise UnsupportedModelError(f"The engine does not know the quantisation {quantization!r}.")
    cache = None
    if model_folder is not None:
        cache = QuantizedWeightCache(model_folder, cache_folder, quantization)
    return QuantizedScheme(quantization, device, dtype, cache)


class QuantizedScheme:
    """Rounds each weight as it is loaded, one at a time, or takes it from the cache.

    Embeddings are int8 in any case: they are small beside the layers, and errors in them go
    through the whole model. So are weights whose inputs cannot be grouped.

    Args:
        quantization: "int8" or "int4".
        device: where the layers live.
        dtype: what comes in and goes out.
        cache: where rounded weights are kept.
    """

    def __init__(
        self,
        quantization: Quantization,
        device: torch.device,
        dtype: torch.dtype,
        cache: QuantizedWeightCache | None = None,
    ) -> None:
        self._quantization = quantization
        self._device = device
        self._dtype = dtype
        self._cache = cache

    def build(self, name: str, weight: LoadTensor, bias: Tensor | None = None) -> Linear:
        """Make a linear layer."""
        bias = None if bias is None else bias.to(device=self._device, dtype=self._dtype)
        rounded = self._cached(name) or self._rounded(name, weight)
        if isinstance(rounded, Int4Weight):
            linear = int4_linear(rounded, bias)
        else:
            linear = int8_linear(rounded, bias)
        del rounded
        cpu.return_freed_memory()
        return linear

    def build_embedding(self, name: str, weight: LoadTensor) -> Embedding:
        """Make an embedding; from the cache it is mapped, and only the rows in use take memory."""
        mapped = self._device.type == "cpu"
        rounded = self._cached(name, mapped=mapped)
        if isinstance(rounded, Int8Weight):
            return Int8Embedding(
                rounded, self._dtype, partial(self._read, name) if mapped else None
            )
        rounded = quantize_int8(weight().to(self._device))
        self._store(name, codes=rounded.codes, scales=rounded.scales)
        return Int8Embedding(rounded, self._dtype)

    def finish(self) -> None:
        """Write the cache."""
        if self._cache is not None:
            self._cache.finish()

    def abandon(self) -> None:
        """Write no cache."""
        if self._cache is not None:
            self._cache.abandon()

    def _cached(self, name: str, *, mapped: bool = False) -> Int4Weight | Int8Weight | None:
        found = None if self._cache is None else self._cache.load(name, mapped=mapped)
        if found is None:
            return None
        parts = {part: tensor.to(self._device) for part, tensor in found.items()}
        if parts.keys() == {"codes", "scales", "zero_points"}:
            return Int4Weight(parts["codes"], parts["scales"], parts["zero_points"])
        if parts.keys() == {"codes", "scales"}:
            return Int8Weight(parts["codes"], parts["scales"])
        return None

    def _read(self, name: str) -> Int8Weight:
        rounded = self._cached(name)
        assert isinstance(rounded, Int8Weight)
        return rounded

    def _rounded(self, name: str, weight: LoadTensor) -> Int4Weight | Int8Weight:
        placed = weight().to(self._device)
        group = group_size(placed.shape[1]) if self._quantization == "int4" else None
        if group is None:
            int8 = quantize_int8(placed)
            self._store(name, codes=int8.codes, scales=int8.scales)
            return int8
        int4 = quantize_int4(placed, group)
        self._store(name, codes=int4.codes, scales=int4.scales, zero_points=int4.zero_points)
        return int4

    def _store(self, name: str, **tensors: Tensor) -> None:
        if self._cache is not None:
            self._cache.store(name, tensors)
