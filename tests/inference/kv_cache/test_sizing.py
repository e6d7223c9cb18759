"""How many blocks fit: figures, limits and refusals."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from inference.attention.interface import AttentionSpec
from inference.errors import DeviceError
from inference.kv_cache import sizing
from inference.kv_cache.cache import KVCache, block_bytes
from inference.kv_cache.sizing import count_blocks, free_bytes

CPU = torch.device("cpu")
SPECS = [AttentionSpec(layer, 8, 2, 64, 0.125) for layer in range(3)]


def count(**more: int | None) -> int:
    return count_blocks(SPECS, block_size=16, dtype=torch.bfloat16, device=CPU, **more)


def test_a_block_takes_what_the_tensors_take() -> None:
    cache = KVCache(SPECS, num_blocks=5, block_size=16, dtype=torch.bfloat16, device=CPU)
    taken = sum(tensor.nbytes for tensor in (*cache.keys, *cache.values))
    assert taken == 5 * block_bytes(SPECS, block_size=16, dtype=torch.bfloat16)


def test_the_cache_takes_a_share_of_what_is_free() -> None:
    blocks = count()
    taken = blocks * block_bytes(SPECS, block_size=16, dtype=torch.bfloat16)
    assert 0 < taken <= psutil.virtual_memory().available
    assert 0 < free_bytes(CPU) <= psutil.virtual_memory().total


def test_no_more_blocks_than_tokens_could_ever_fill() -> None:
    assert count(most_tokens=1000) == 63


def test_the_users_limit_is_kept() -> None:
    each = block_bytes(SPECS, block_size=16, dtype=torch.bfloat16)
    assert count(limit_bytes=10 * each + 1) == 10


def test_a_limit_beyond_what_is_free_is_refused_with_figures() -> None:
    with pytest.raises(DeviceError, match=r"1048576\.00 GiB was asked for.*GiB free"):
        count(limit_bytes=2**50)


def test_less_than_one_block_is_refused_with_figures() -> None:
    with pytest.raises(DeviceError, match=r"one block of 16 tokens takes 24576 bytes"):
        count(limit_bytes=100)
    with pytest.raises(DeviceError, match=r"0\.00 GiB are free"):
        count(step_bytes=2**60)


def test_an_allocation_that_fails_is_a_device_error() -> None:
    with pytest.raises(DeviceError, match=r"has no room for 1099511627776 cache blocks"):
        KVCache(SPECS, num_blocks=2**40, block_size=16, dtype=torch.float32, device=CPU)


def _group(folder: Path, limit: str, usage: str, stat: str, names: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit + "\n")
    (folder / names[1]).write_text(usage + "\n")
    (folder / "memory.stat").write_text(stat)


@pytest.mark.parametrize(
    ("membership", "expected"),
    [
        ("0::/service/app\n", [2000 - 500, 5000 - 1000 + 300]),
        ("0::/\n", []),
        ("0::/elsewhere/not/mounted\n", []),
        ("4:cpu,cpuacct:/x\n7:memory:/box\n", [700 - 100 + 50]),
    ],
)
def test_control_groups_and_their_parents(
    tmp_path: Path, membership: str, expected: list[int]
) -> None:
    version2 = ("memory.max", "memory.current")
    _group(tmp_path / "service", "5000", "1000", "anon 5\ninactive_file 300\n", version2)
    _group(tmp_path / "service" / "app", "2000", "500", "", version2)
    version1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    _group(tmp_path / "memory" / "box", "700", "100", "total_inactive_file 50\n", version1)
    own = tmp_path / "own"
    own.write_text(membership)
    assert sizing._cgroup_free_bytes(tmp_path, own) == expected
