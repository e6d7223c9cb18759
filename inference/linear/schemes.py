"""Which layers a model is built of."""

from __future__ import annotations

from pathlib import Path

import torch

from inference.errors import UnsupportedModelError
from inference.linear.dense import DenseScheme
from inference.linear.interface import LinearScheme, Quantization


def linear_scheme(
    quantization: Quantization,
    *,
    device: torch.device,
    dtype: torch.dtype,
    model_folder: Path | None = None,  # noqa: ARG001
    cache_folder: Path | None = None,  # noqa: ARG001
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
    raise UnsupportedModelError(f"The engine does not know the quantisation {quantization!r}.")
