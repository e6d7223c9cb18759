"""Quantised weights kept beside the model, so that they are rounded once.

One safetensors file for each way of quantising. It names what it was made from: the size and time
of every file of the checkpoint. What does not fit, or cannot be read, is made again; where nothing
can be written, loading goes on without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from inference.checkpoint.safetensors_file import SafetensorsFile
from inference.errors import CheckpointError
from inference.linear.interface import Quantization

_log = logging.getLogger(__name__)

_VERSION = 1  # of what is written; raise it when the rounding changes
_FOLDER = ".postil"
_FINGERPRINT = "fingerprint"
_TEMPORARY_SUFFIX = ".part"
_STALE_TEMPORARY_S = 3600.0

# The header stands before the tensors, whose number is not known when the first one is written.
_LEAST_HEADER_BYTES = 1 << 20
_MOST_HEADER_BYTES = 64 << 20
_SOURCE_BYTES_PER_HEADER_BYTE = 1024

_DTYPE_NAMES = {torch.int8: "I8", torch.uint8: "U8", torch.float32: "F32"}


class QuantizedWeightCache:
    """The quantised tensors of one model, read if they are there and written if not.

    Args:
        model_folder: where the checkpoint is; the cache goes into its subfolder.
        cache_folder: where the cache goes if that cannot be written; None: nowhere.
        quantization: part of the file's name.
    """

    def __init__(
        self, model_folder: Path, cache_folder: Path | None, quantization: Quantization
    ) -> None:
        sources = sorted(model_folder.glob("*.safetensors"))
        self._fingerprint = _fingerprint(sources)
        source_bytes = sum(path.stat().st_size for path in sources)
        places = [model_folder / _FOLDER / f"{quantization}.safetensors"]
        if cache_folder is not None:
            model = hashlib.sha256(str(model_folder.resolve()).encode()).hexdigest()[:16]
            places.append(cache_folder / f"{model}-{quantization}.safetensors")
        self._file = _first_valid(places, self._fingerprint)
        self._parts = _parts_by_layer(self._file)
        self._writer = None if self._file is not None else _first_writable(places, source_bytes)

    def load(self, name: str, *, mapped: bool = False) -> dict[str, Tensor] | None:
        """The tensors kept under a name, or None.

        Args:
            name: of a layer.
            mapped: give views of the mapped file, which take memory only where they are read.
        """
        parts = self._parts.get(name)
        if self._file is None or parts is None:
            return None
        return {part: self._read(self._file, f"{name}.{part}", mapped=mapped) for part in parts}

    def store(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors under a name."""
        if self._writer is None:
            return
        try:
            for part, tensor in tensors.items():
                self._writer.add(f"{name}.{part}", tensor)
        except OSError as error:
            self._give_up(self._writer, error)

    def finish(self) -> None:
        """Make what was stored valid: all of it, or, on any error, none."""
        if self._writer is None:
            return
        try:
            self._writer.add(_FINGERPRINT, self._fingerprint)
            self._writer.commit()
        except OSError as error:
            self._give_up(self._writer, error)
        self._writer = None

    def abandon(self) -> None:
        """Remove what was stored but not finished."""
        if self._writer is not None:
            self._writer.abandon()
        self._writer = None

    @staticmethod
    def _read(file: SafetensorsFile, key: str, *, mapped: bool) -> Tensor:
        if mapped:
            return file.load(key)
        tensor = torch.empty(file.shape(key), dtype=file.dtype(key))
        file.read_into(key, tensor)
        return tensor

    def _give_up(self, writer: _Writer, error: OSError) -> None:
        _log.info(
            "The quantised weights are not kept: %s cannot be written (%s).", writer.path, error
        )
        writer.abandon()
        self._writer = None


class _Writer:
    """Writes a safetensors file tensor by tensor, beside its place, and puts it there at the end.

    Args:
        path: its place.
        header_bytes: room for the header.
    """

    def __init__(self, path: Path, header_bytes: int) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_temporaries(path)
        handle, name = tempfile.mkstemp(_TEMPORARY_SUFFIX, f"{path.name}.", path.parent)
        self._temporary = Path(name)
        self._stream: BinaryIO = os.fdopen(handle, "wb")
        self._header_bytes = header_bytes
        self._header: dict[str, object] = {}
        self._position = 0
        self._stream.seek(8 + header_bytes)

    def add(self, name: str, tensor: Tensor) -> None:
        data = memoryview(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        self._stream.write(data)
        end = self._position + data.nbytes
        self._header[name] = {
            "dtype": _DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [self._position, end],
        }
        self._position = end

    def commit(self) -> None:
        header = json.dumps(self._header).encode()
        if len(header) > self._header_bytes:
            raise OSError("its header is too long")
        self._stream.seek(0)
        self._stream.write(self._header_bytes.to_bytes(8, "little"))
        self._stream.write(header.ljust(self._header_bytes))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._temporary.replace(self.path)

    def abandon(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            _log.debug("%s could not be closed: %s", self._temporary, error)
        self._temporary.unlink(missing_ok=True)


def _fingerprint(sources: list[Path]) -> Tensor:
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    digest = hashlib.sha256(json.dumps([_VERSION, stats]).encode()).digest()
    return torch.frombuffer(bytearray(digest), dtype=torch.uint8)


def _parts_by_layer(file: SafetensorsFile | None) -> Mapping[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for key in () if file is None else file.names():
        layer, _, part = key.rpartition(".")
        parts.setdefault(layer, []).append(part)
    return parts


def _first_valid(places: list[Path], fingerprint: Tensor) -> SafetensorsFile | None:
    for path in places:
        if not path.is_file():
            continue
        try:
            file = SafetensorsFile(path)
            if torch.equal(file.load(_FINGERPRINT), fingerprint):
                return file
        except CheckpointError as error:
            _log.info("The quantised weights are made again: %s", error)
    return None


def _first_writable(places: list[Path], source_bytes: int) -> _Writer | None:
    header_bytes = min(
        max(source_bytes // _SOURCE_BYTES_PER_HEADER_BYTE, _LEAST_HEADER_BYTES), _MOST_HEADER_BYTES
    )
    for path in places:
        try:
            return _Writer(path, header_bytes)
        except OSError as error:
            _log.info("The quantised weights are not kept in %s: %s", path.parent, error)
    return None


def _remove_stale_temporaries(path: Path) -> None:
    """Remove what a process that was killed while it wrote left behind."""
    for left in path.parent.glob(f"{path.name}.*{_TEMPORARY_SUFFIX}"):
        if time.time() - left.stat().st_mtime > _STALE_TEMPORARY_S:
            left.unlink(missing_ok=True)
