"""What this processor is fast at, and dense products that suit it.

CPU milliseconds for 8192 x 2048 bfloat16 weights on Zen 3 (AVX2), one thread:

    rows                                    1     2     4     8    32    256
    F.linear in bfloat16                  3.6   7.4  13.6  27.6   100      -
    tiles made float32, then multiplied   5.5   8.1   9.9  15.7    22    116
    float32 weights, twice the memory     4.0     -  21.8     -    32    134

With AVX512_BF16 or AMX, F.linear in bfloat16 is the fastest throughout.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from inference.linear import onnx_product

_ROWS_BY_VECTOR_PRODUCTS = 2
_LEAST_TILE_ROWS = 256
_TILE_ROWS_PER_THREAD = 128


def has_avx512() -> bool:
    """Whether torch's kernels use AVX512 here (ATEN_CPU_CAPABILITY can hold them back)."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def multiplies_bfloat16() -> bool:
    """Whether matrix products in bfloat16 have instructions of their own here."""
    return has_avx512() and bool(
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def prefers_onnx() -> bool:
    """Whether ONNX Runtime's kernels for few bits are there and faster than torch's.

    With AVX512, torch's are as fast as any measured.
    """
    return not has_avx512() and onnx_product.is_available()


def return_freed_memory() -> None:
    """Give memory that was freed back to the system, where the C library keeps it (glibc).

    Packing leaves freed pieces of up to 32 MB behind each layer: without this a 1B model in int4
    takes 1.3 GB instead of 0.95.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


def half_product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply by a weight in bfloat16 or float16 on a CPU without instructions for it.

    Sums are in float32; inputs and outputs are rounded to the weight's dtype whatever the number of
    rows, so that a row's result does not depend on how many there are.

    Args:
        x: (rows, in_features).
        weight: (out_features, in_features).

    Returns:
        x @ weight.T, (rows, out_features), in the weight's dtype.
    """
    x = x.to(weight.dtype)
    if x.shape[0] <= _ROWS_BY_VECTOR_PRODUCTS:
        return functional.linear(x, weight)
    return tiled_product(x, weight).to(weight.dtype)


def tiled_product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply in float32, a tile of the weight at a time, which stays in the cache.

    Args:
        x: (rows, in_features).
        weight: (out_features, in_features), of any number type.

    Returns:
        x @ weight.T, (rows, out_features) float32.
    """
    x = x.float()
    out_features, in_features = weight.shape
    output = torch.empty((x.shape[0], out_features))
    tile_rows = max(_LEAST_TILE_ROWS, _TILE_ROWS_PER_THREAD * torch.get_num_threads())
    buffer = torch.empty((min(tile_rows, out_features), in_features))
    for row in range(0, out_features, tile_rows):
        rows = weight[row : row + tile_rows]
        tile = buffer[: rows.shape[0]].copy_(rows)
        torch.mm(x, tile.t(), out=output[:, row : row + tile_rows])
    return output
