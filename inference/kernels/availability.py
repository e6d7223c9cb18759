"""Whether Triton's kernels can run."""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import cache

import torch

log = logging.getLogger(__name__)


@cache
def triton_serves(device_type: str) -> bool:
    """Whether Triton is installed and runs on devices of this type.

    It comes with PyTorch on Linux, not on Windows. With TRITON_INTERPRET=1 its kernels run on the
    CPU, slowly, which is how they are tested without a graphics card.
    """
    if importlib.util.find_spec("triton") is None:
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    return device_type == "cuda" and _compiles()


def _compiles() -> bool:
    """Compile and run the smallest kernel: it takes a C compiler and a driver that fits."""
    from inference.kernels.cache_write import write_cache

    tensor = torch.ones(1, 1, 16, device="cuda")
    keys, values = torch.zeros_like(tensor), torch.zeros_like(tensor)
    slots = torch.zeros(1, dtype=torch.int64, device="cuda")
    try:
        write_cache(keys, values, slots, tensor, tensor)
        return bool((keys == tensor).all() and (values == tensor).all())
    except Exception:
        log.info("Triton does not run here; PyTorch's own kernels serve", exc_info=True)
        return False
