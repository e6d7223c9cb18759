"""How much memory this process uses."""

from __future__ import annotations

import sys

import psutil


def resident_bytes() -> int:
    """Return the main memory that the process holds."""
    return int(psutil.Process().memory_info().rss)


def device_memory_bytes() -> int | None:
    """Return the accelerator's memory that torch holds; None: no accelerator is in use.

    torch is not imported for this: where it is not loaded, it holds nothing.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.memory_reserved())
    if torch.backends.mps.is_available():
        return int(torch.mps.driver_allocated_memory())
    return None
