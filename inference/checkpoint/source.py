"""All tensors of a model folder, in one file or in several with an index."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

import torch
from torch import Tensor

from inference.checkpoint.safetensors_file import SafetensorsFile
from inference.errors import CheckpointError
from inference.model_folder import INDEX_NAME, SINGLE_NAME, require_weights

_MAX_INDEX_BYTES = 100 << 20


class TensorSource(Protocol):
    """Named tensors, as they are stored.

    Each method raises CheckpointError where the tensor is missing or cannot be read.
    """

    def names(self) -> Collection[str]:
        """The names of all tensors."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""

    def dtype(self, name: str) -> torch.dtype:
        """The dtype that a tensor is stored in."""

    def load(self, name: str) -> Tensor:
        """A tensor on the CPU in its stored dtype, not to be written to: mapped where possible."""

    def read_into(self, name: str, tensor: Tensor) -> None:
        """Read a tensor into a contiguous one of its shape and dtype."""


class CheckpointFolder:
    """The safetensors files of a model folder.

    Args:
        folder: the model folder.
        mapped: False: never map the files into memory.

    Raises:
        ModelFolderError: there are no weights.
        UnsupportedModelError: the weights are pickled or GGUF.
        CheckpointError: a file is missing, damaged or cut short.
    """

    def __init__(self, folder: Path, *, mapped: bool = True) -> None:
        require_weights(folder)
        self._folder = folder
        if (folder / INDEX_NAME).is_file():
            self._file_of = self._open_shards(folder, mapped=mapped)
        else:
            single = SafetensorsFile(folder / SINGLE_NAME, mapped=mapped)
            self._file_of = dict.fromkeys(single.names(), single)

    def names(self) -> Collection[str]:
        """The names of all tensors."""
        return self._file_of.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self._file(name).shape(name)

    def dtype(self, name: str) -> torch.dtype:
        """The dtype that a tensor is stored in."""
        return self._file(name).dtype(name)

    def load(self, name: str) -> Tensor:
        """A tensor on the CPU in its stored dtype, not to be written to: mapped where possible."""
        return self._file(name).load(name)

    def read_into(self, name: str, tensor: Tensor) -> None:
        """Read a tensor into a contiguous one of its shape and dtype."""
        self._file(name).read_into(name, tensor)

    def _file(self, name: str) -> SafetensorsFile:
        file = self._file_of.get(name)
        if file is None:
            raise CheckpointError(f"The checkpoint in {self._folder} lacks the tensor {name}.")
        return file

    @staticmethod
    def _open_shards(folder: Path, *, mapped: bool) -> dict[str, SafetensorsFile]:
        weight_map = _read_index(folder / INDEX_NAME)
        files = {
            file_name: SafetensorsFile(folder / file_name, mapped=mapped)
            for file_name in sorted(set(weight_map.values()))
        }
        for name, file_name in weight_map.items():
            if name not in files[file_name].names():
                raise CheckpointError(
                    f"The index in {folder} says that {name} is in {file_name}, but it is not."
                )
        return {name: files[file_name] for name, file_name in weight_map.items()}


def _read_index(path: Path) -> Mapping[str, str]:
    """Which file each tensor is in."""
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            raise CheckpointError(f"{path} is too large to be an index.")
        index = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON.") from error
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path} has no weight_map.")
    for file_name in weight_map.values():
        if not isinstance(file_name, str) or not _is_plain_name(file_name):
            raise CheckpointError(f"{path} names a file that cannot be its own: {file_name!r}.")
    return weight_map


def _is_plain_name(name: str) -> bool:
    """A file name that cannot lead out of the folder on any system."""
    return (
        name.endswith(".safetensors")
        and "\0" not in name
        and ":" not in name
        and PurePosixPath(name).name == name == PureWindowsPath(name).name
    )
