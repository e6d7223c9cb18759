"""One safetensors file, of which nothing is believed before it is checked.

The format: eight bytes with the header's length, the header (JSON: dtype, shape and place of each
tensor), then the tensors without gaps (github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import io
import json
import math
import mmap
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeGuard

import torch
from torch import Tensor

from inference.errors import CheckpointError

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100 << 20
_MAX_DIMENSIONS = 16
_MAX_SIZE = 1 << 48

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class _Entry(NamedTuple):
    """Where a tensor lies; `begin` and `end` count bytes from the start of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """The tensors of one file.

    Mapped into memory where the system allows it: a mapping takes no memory of its own, and its
    pages come and go with the page cache. Where mapping fails (Windows error 1455 on large files)
    tensors are read plainly.

    Args:
        path: the file.
        mapped: False: never map.

    Raises:
        CheckpointError: the file cannot be read, is cut short, or its header contradicts itself.
    """

    def __init__(self, path: Path, *, mapped: bool = True) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._entries = _read_header(stream, path)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
        self._bytes = _map(path) if mapped else None

    def names(self) -> Collection[str]:
        """The names of all tensors."""
        return self._entries.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self._entry(name).shape

    def dtype(self, name: str) -> torch.dtype:
        """The dtype that a tensor is stored in."""
        return self._entry(name).dtype

    def load(self, name: str) -> Tensor:
        """A tensor on the CPU, in the dtype it is stored in: a view of the mapping where possible.

        The view must not be written to.

        Raises:
            CheckpointError: no such tensor, or the file changed.
        """
        entry = self._entry(name)
        # A view needs the element's alignment, which the format recommends but does not promise.
        if self._bytes is not None and entry.begin % entry.dtype.itemsize == 0:
            raw = self._bytes[entry.begin : entry.end]
            return raw.view(entry.dtype).view(entry.shape)
        tensor = torch.empty(entry.shape, dtype=entry.dtype)
        self.read_into(name, tensor)
        return tensor

    def read_into(self, name: str, tensor: Tensor) -> None:
        """Read a tensor into a contiguous one of its shape and dtype, without mapping.

        Raises:
            CheckpointError: no such tensor, or the file changed.
        """
        entry = self._entry(name)
        assert tensor.dtype == entry.dtype
        assert tensor.numel() == math.prod(entry.shape)
        if entry.begin == entry.end:
            return
        left = memoryview(tensor.view(-1).view(torch.uint8).numpy().data)
        try:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(entry.begin)
                while left:
                    count = stream.readinto(left)
                    if not count:
                        raise CheckpointError(f"{self.path} became shorter while it was read.")
                    left = left[count:]
        except OSError as error:
            raise CheckpointError(
                f"{self.path} cannot be read: {error.strerror or error}."
            ) from error

    def _entry(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise CheckpointError(f"{self.path.name} does not have the tensor {name}.")
        return entry


def _map(path: Path) -> Tensor | None:
    """The file as bytes, or None where it cannot be mapped."""
    try:
        with path.open("rb") as stream:
            mapping = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, OverflowError, MemoryError):
        return None
    with warnings.catch_warnings():
        # torch has no tensor that forbids writing, and says so.
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        return torch.frombuffer(mapping, dtype=torch.uint8)


def _read_header(stream: BinaryIO, path: Path) -> dict[str, _Entry]:
    """Read and check the header."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
    data_start = _LENGTH_BYTES + length
    if size < _LENGTH_BYTES or data_start > size:
        raise CheckpointError(f"{path} is cut short or is no safetensors file.")
    if length > _MAX_HEADER_BYTES:
        raise CheckpointError(f"{path} has a header of {length} bytes, which is too long.")
    try:
        header = json.loads(stream.read(length))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} has a damaged header.") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header.")
    header.pop("__metadata__", None)
    entries = {
        name: _checked_entry(name, value, data_start, path) for name, value in header.items()
    }
    _require_no_overlap(entries, data_start, size, path)
    return entries


def _checked_entry(name: str, value: object, data_start: int, path: Path) -> _Entry:
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} has a damaged header: {name} is not described.")
    dtype = _DTYPES.get(str(value.get("dtype")))
    if dtype is None:
        raise CheckpointError(
            f"{path} stores {name} as {str(value.get('dtype'))[:32]!r}, "
            "which the engine does not read."
        )
    shape = value.get("shape")
    offsets = value.get("data_offsets")
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise CheckpointError(f"{path} has a damaged header: {name} has no proper place or shape.")
    begin, end = offsets
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise CheckpointError(f"{path} has a damaged header: {name} does not fit its shape.")
    return _Entry(dtype, tuple(shape), data_start + begin, data_start + end)


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    return (
        isinstance(value, list)
        and len(value) <= _MAX_DIMENSIONS
        and all(type(item) is int and 0 <= item <= _MAX_SIZE for item in value)
    )


def _require_no_overlap(
    entries: Mapping[str, _Entry], data_start: int, size: int, path: Path
) -> None:
    """The tensors must lie end to end and fill the file."""
    place = data_start
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.begin != place:
            raise CheckpointError(f"{path} has a damaged header: {name} is not where it must be.")
        place = entry.end
    if place > size:
        raise CheckpointError(f"{path} is cut short: {size} of {place} bytes are there.")
    if place < size:
        raise CheckpointError(f"{path} is damaged: {size - place} bytes belong to no tensor.")
