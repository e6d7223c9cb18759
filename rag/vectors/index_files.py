"""A vector index on disk: a cache of what the database holds, never trusted unchecked.

An index is a few data files and a manifest that names them with their checksums:

    KEY.json                        manifest
    KEY-GENERATION-TOKEN.ids.npy    ids, ascending
    KEY-GENERATION-TOKEN.rows.npy   half-precision rows
    KEY-GENERATION-TOKEN.usearch    HNSW graph

Data files are written under new names and forced to disk; then the manifest is replaced, which
the file system does at once or not at all. A crash leaves the old index, and whatever is missing,
cut short or altered is found by its checksum before anything parses it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import StorageError
from rag.vectors.matrix import MatrixState

_LAYOUT = 1
_READ_BYTES = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SavedIndex:
    """An index as it was found on disk.

    Attributes:
        generation: the database generation that it reflects.
        state: its vectors; the rows are mapped from the file.
        graph: path of the HNSW graph, None where none was saved.
    """

    generation: int
    state: MatrixState
    graph: Path | None


class IndexFiles:
    """The files of one embedding fingerprint's index in a folder."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key

    def write(
        self, generation: int, state: MatrixState, graph: Callable[[Path], None] | None
    ) -> None:
        """Replace the index on disk.

        Args:
            generation: the database generation that the index reflects.
            state: its vectors.
            graph: writes the HNSW graph to a path; None where there is none.

        Raises:
            StorageError: the folder cannot be written.
        """
        stem = f"{self._key}-{generation}-{secrets.token_hex(4)}"
        writers: dict[str, Callable[[Path], None]] = {
            "ids.npy": lambda path: _save_array(path, state.ids),
            "rows.npy": lambda path: _save_array(path, state.rows),
        }
        if graph is not None:
            writers["usearch"] = graph
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            manifest: dict[str, Any] = {"layout": _LAYOUT, "generation": generation}
            for part, write in writers.items():
                path = self._folder / f"{stem}.{part}"
                write(path)
                _force_to_disk(path)
                manifest[part] = {"name": path.name, "checksum": _checksum(path)}
            self._replace_manifest(stem, manifest)
        except OSError as error:
            for path in self._folder.glob(f"{stem}.*"):
                path.unlink(missing_ok=True)
            raise StorageError(
                f"The search index could not be saved in {self._folder} ({error.strerror}). "
                "Nothing is lost: it is made again from the library."
            ) from error
        self._remove_leftovers()

    def read(self, dimension: int) -> SavedIndex | None:
        """Return the saved index, None where there is none or it is damaged."""
        manifest = self._manifest()
        if manifest is None:
            return None
        try:
            paths = {
                part: self._checked(manifest[part])
                for part in ("ids.npy", "rows.npy", "usearch")
                if part in manifest
            }
            state = MatrixState(
                np.load(paths["ids.npy"], allow_pickle=False),
                np.load(paths["rows.npy"], allow_pickle=False, mmap_mode="r"),
            )
            _check_shape(state, dimension)
            return SavedIndex(int(manifest["generation"]), state, paths.get("usearch"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("the saved index %s is not used: %s", self._key, error)
            return None

    def remove(self) -> None:
        """Remove the index from disk."""
        self._manifest_path.unlink(missing_ok=True)
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Remove data files that the manifest does not name.

        Newer ones than those it names stay: another process may be about to name them.
        """
        manifest = self._manifest() or {}
        named = {entry["name"] for entry in manifest.values() if isinstance(entry, dict)}
        ages = {path: _modified_at(path) for path in self._folder.glob(f"{self._key}-*")}
        newest = max((age for path, age in ages.items() if path.name in named), default=math.inf)
        for path, age in ages.items():
            if path.name not in named and age <= newest:
                # On Windows a file that is still mapped stays until a later save.
                with contextlib.suppress(PermissionError):
                    path.unlink(missing_ok=True)

    @property
    def _manifest_path(self) -> Path:
        return self._folder / f"{self._key}.json"

    def _manifest(self) -> dict[str, Any] | None:
        try:
            manifest = json.loads(self._manifest_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(manifest, dict) or manifest.get("layout") != _LAYOUT:
            return None
        return manifest

    def _replace_manifest(self, stem: str, manifest: dict[str, Any]) -> None:
        temporary = self._folder / f"{stem}.json"
        temporary.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _force_to_disk(temporary)
        temporary.replace(self._manifest_path)
        _force_folder_to_disk(self._folder)

    def _checked(self, entry: dict[str, Any]) -> Path:
        path = self._folder / str(entry["name"])
        if path.parent != self._folder or _checksum(path) != entry["checksum"]:
            raise ValueError(f"{path.name} is damaged")
        return path


def _check_shape(state: MatrixState, dimension: int) -> None:
    ids, rows = state.ids, state.rows
    if ids.dtype != np.int64 or rows.dtype != np.float16 or rows.shape != (len(ids), dimension):
        raise ValueError("arrays of another kind")
    if np.any(ids[1:] <= ids[:-1]):
        raise ValueError("ids out of order")


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf  # another process removed it


def _save_array(path: Path, values: np.ndarray[Any, Any]) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _force_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _force_folder_to_disk(folder: Path) -> None:
    """Make a rename last through a power cut; Windows does so by itself and opens no folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
