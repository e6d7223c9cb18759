"""How many cache blocks fit the memory that is really free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from inference.attention.interface import AttentionSpec
from inference.errors import DeviceError
from inference.kv_cache.cache import block_bytes

# What the cache takes of the free memory. A graphics card serves the model alone; on a CPU, and on
# a Mac, whose graphics share the memory, the reader's other programs want to live as well.
_CUDA_SHARE = 0.92
_SHARED_MEMORY_SHARE = 0.5

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def count_blocks(
    specs: Sequence[AttentionSpec],
    *,
    block_size: int,
    dtype: torch.dtype,
    device: torch.device,
    step_bytes: int = 0,
    limit_bytes: int | None = None,
    most_tokens: int | None = None,
) -> int:
    """Number of blocks to reserve, at least one.

    Args:
        specs: the attention of each layer.
        block_size: positions in a block.
        dtype: of keys and values.
        device: where the cache goes; the model is there already.
        step_bytes: what the largest step takes beside the cache.
        limit_bytes: the user's own limit for the cache; it replaces our share of the free memory.
        most_tokens: tokens that could ever be cached at once; more blocks would be of no use.

    Raises:
        DeviceError: not even one block fits, or the user's limit is more than what is free.
    """
    each = block_bytes(specs, block_size=block_size, dtype=dtype)
    free = max(free_bytes(device) - step_bytes, 0)
    share = _CUDA_SHARE if device.type == "cuda" else _SHARED_MEMORY_SHARE
    budget = int(free * share)
    if limit_bytes is not None:
        if limit_bytes > free:
            raise DeviceError(
                f"A cache of {_gib(limit_bytes)} was asked for, and the device {device} has "
                f"{_gib(free)} free beside the model."
            )
        budget = limit_bytes
    blocks = budget // each
    if most_tokens is not None:
        blocks = min(blocks, -(-most_tokens // block_size))
    if blocks < 1:
        raise DeviceError(
            f"The cache of keys and values does not fit the device {device}: {_gib(free)} are "
            f"free, {_gib(budget)} may be used, and one block of {block_size} tokens takes "
            f"{each} bytes."
        )
    return blocks


def free_bytes(device: torch.device) -> int:
    """Bytes that can be allocated on the device now without pushing anything else out."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    host = _host_free_bytes()
    if device.type == "mps":
        ours = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return max(min(ours, host), 0)
    return host


def _host_free_bytes() -> int:
    available = int(psutil.virtual_memory().available)
    # Weights are mapped from their file: the system calls such pages available, but we need them.
    mapped = int(getattr(psutil.Process().memory_info(), "shared", 0))
    limits = [available - mapped, *_cgroup_free_bytes(_CGROUPS, _OWN_CGROUP)]
    return max(min(limits), 0)


def _cgroup_free_bytes(root: Path, own: Path) -> list[int]:
    """What each control group that we are in (a container, a service) has left, version 1 and 2.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
    """
    found: list[int] = []
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # The group's parents limit it too. In a container the path may lie outside what is
        # mounted: then its own group is the mounted root, which is last in the list.
        place = folder / path.strip("/")
        while True:
            left = _left(place, *names)
            if left is not None:
                found.append(left)
            if place == folder or folder not in place.parents:
                break
            place = place.parent
    return found


def _left(folder: Path, limit_name: str, usage_name: str, inactive_name: str) -> int | None:
    limit, usage = _lines(folder / limit_name), _lines(folder / usage_name)
    if not limit or not usage or not limit[0].isdigit():
        return None  # no such group, or "max": no limit
    reclaimable = 0
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name == inactive_name:
            reclaimable = int(value)
    return int(limit[0]) - int(usage[0]) + reclaimable


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux, or not ours to read
        return []


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
