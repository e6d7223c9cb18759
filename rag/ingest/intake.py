"""Takes copies of source files into the library's folder, named by their content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import (
    BadBookError,
    CancelledByReaderError,
    OversizedBookError,
    StorageError,
    UnknownFormatError,
)
from core.file_names import readable

_PIECE_BYTES = 1024 * 1024
_TEMPORARY_PREFIX = ".incoming-"
_ABANDONED_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that the library holds: the SHA-256 of its content in hexadecimal, and where it is."""

    content_hash: str
    path: Path


class Intake:
    """Copies source files into a folder. `stop` ends a copy from another thread."""

    def __init__(self, books_dir: Path, max_file_bytes: int) -> None:
        self._books_dir = books_dir
        self._max_file_bytes = max_file_bytes
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the copy under way, and any to come, with CancelledByReaderError."""
        self._stopped.set()

    def take(self, source: Path) -> Copy:
        """Copy a file under its content hash; one whose content is there already is only read.

        The copy appears whole, by a rename, or not at all.

        Raises:
            BadBookError: there is no such file, it may not be read, is none, or is too large.
            StorageError: the copy cannot be written.
            CancelledByReaderError: `stop` was called.
        """
        with _reading(source):
            if stat.S_ISDIR(source.stat().st_mode):
                raise UnknownFormatError(
                    f"“{readable(source)}” is a folder. Add the books in it instead."
                )
            if not stat.S_ISREG(source.stat().st_mode):
                raise UnknownFormatError(f"“{readable(source)}” is a device, not a book.")
            file = source.open("rb")
        with file:
            with _writing(self._books_dir):
                copy = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, then renamed
                    dir=self._books_dir, prefix=_TEMPORARY_PREFIX, delete=False
                )
            temporary = Path(copy.name)
            try:
                with copy:
                    content_hash = self._copy(source, file, copy)
                return Copy(content_hash, self._publish(temporary, content_hash))
            finally:
                temporary.unlink(missing_ok=True)

    def _copy(self, source: Path, file: IO[bytes], copy: IO[bytes]) -> str:
        """Copy all of a file and force it to disk; return its SHA-256."""
        digest = hashlib.sha256()
        size = 0
        while True:
            if self._stopped.is_set():
                raise CancelledByReaderError("Postil is closing.")
            with _reading(source):
                piece = file.read(_PIECE_BYTES)
            if not piece:
                break
            size += len(piece)
            if size > self._max_file_bytes:
                limit_mib = self._max_file_bytes / (1024 * 1024)
                raise OversizedBookError(f"The file is larger than {limit_mib:,.0f} MiB.")
            digest.update(piece)
            with _writing(self._books_dir):
                copy.write(piece)
        with _writing(self._books_dir):
            copy.flush()
            os.fsync(copy.fileno())
        return digest.hexdigest()

    def _publish(self, temporary: Path, content_hash: str) -> Path:
        """Give a whole copy its name, unless a copy has it already."""
        path = self._books_dir / content_hash
        with _writing(self._books_dir):
            if not path.exists():
                temporary.replace(path)
        return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole, by a rename, or not at all.

    Raises:
        StorageError: it cannot be written, or, on Windows, replaced while it is open elsewhere.
    """
    with _writing(path.parent):
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, then renamed
            dir=path.parent, prefix=_TEMPORARY_PREFIX, delete=False
        )
        temporary = Path(file.name)
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what was begun in a folder by processes that were killed.

    Raises:
        StorageError: the folder cannot be written.
    """
    with _writing(folder):
        for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
            try:
                age_s = time.time() - path.stat().st_mtime
            except FileNotFoundError:
                continue  # another process has just finished or removed it
            if age_s > _ABANDONED_AFTER_S:
                path.unlink(missing_ok=True)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Say what is wrong with a source file that cannot be read."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise BadBookError(f"There is no file “{readable(source)}”.") from None
    except PermissionError:
        raise BadBookError(f"“{readable(source)}” may not be read: permission denied.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero character in the path
        reason = getattr(error, "strerror", None) or error
        raise BadBookError(f"“{readable(source)}” cannot be read: {reason}.") from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what is wrong with the library's folder that cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk that holds {folder} is full. Free some space and add the book again."
            ) from error
        raise StorageError(f"Postil cannot write in {folder}: {error.strerror}.") from error
