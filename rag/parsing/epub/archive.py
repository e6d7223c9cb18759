"""The zip container of an EPUB, read with limits and without trusting a single name in it."""

from __future__ import annotations

import posixpath
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from core.errors import (
    DamagedBookError,
    OversizedBookError,
    ProtectedBookError,
    UnknownFormatError,
)
from rag.parsing.epub.salvage import SalvagedEntry, inflate, salvage_entries

MAX_ENTRIES = 50_000
MAX_ENTRY_BYTES = 64 * 2**20
"""The largest single file that is ever unpacked; real chapters stay below 10 MB."""
MAX_TOTAL_BYTES = 512 * 2**20
"""How much is unpacked of one book, all files together."""
MAX_RATIO = 200
"""Mark-up packs 3 to 20 times, a page of one repeated letter 1,000 times: that is a bomb."""
RATIO_FLOOR_BYTES = 4 * 2**20
"""Below this size a high ratio does no harm."""

_ENCRYPTED_FLAG = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Target(NamedTuple):
    """Where a reference points: the name of an entry as written, and a fragment, "" for none."""

    name: str
    fragment: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of the container: its place in the file and its sizes in bytes."""

    source: zipfile.ZipInfo | SalvagedEntry
    packed_bytes: int
    size_bytes: int


class Archive:
    """The entries of one container by name; nothing is ever written to disk.

    Names are matched as written, then without regard to letter case, Unicode form, backslashes
    and percent-encoding, because the references inside real books are careless about all four.

    Attributes:
        salvaged: the directory of the zip is broken, and entries were found one by one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._zip: zipfile.ZipFile | None = None
        self.salvaged = False
        self._unpacked_bytes = 0
        self._entries = self._list_entries()
        self._folded: dict[str, str] = {}
        for name in self._entries:
            for alias in _aliases(name):
                self._folded.setdefault(_fold_name(alias), name)

    def _list_entries(self) -> dict[str, _Entry]:
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            self.salvaged = True
            found = salvage_entries(self._file, MAX_ENTRIES)
            return {
                entry.name: _Entry(entry, entry.packed_bytes, entry.size_bytes) for entry in found
            }
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise OversizedBookError(
                f"The file holds {len(infos):,} entries, more than any book has; it was not opened."
            )
        # Of two entries of the same name the last one counts, as in every unzip program.
        return {
            info.filename: _Entry(info, info.compress_size, info.file_size)
            for info in infos
            if info.filename and not info.filename.endswith("/")
        }

    @property
    def names(self) -> list[str]:
        """The names of all entries that are files, in the order of the container."""
        return list(self._entries)

    def find(self, name: str) -> str | None:
        """Return the entry that a reference to `name` means, or None."""
        if name in self._entries:
            return name
        return self._folded.get(_fold_name(name)) or self._folded.get(_fold_name(unquote(name)))

    def read(self, name: str) -> bytes:
        """Return the bytes of the entry called `name`, a name that `find` returned.

        Raises OversizedBookError for a zip bomb, ProtectedBookError for an entry with a password,
        DamagedBookError for one that cannot be unpacked.
        """
        entry = self._entries[name]
        self._refuse_bomb(name, entry, entry.size_bytes)
        try:
            data = self._unpack(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise DamagedBookError(f"The entry “{name}” of the EPUB is damaged.") from error
        except (NotImplementedError, RuntimeError) as error:
            raise DamagedBookError(
                f"The entry “{name}” of the EPUB is packed in a way that cannot be read."
            ) from error
        self._refuse_bomb(name, entry, len(data))
        self._unpacked_bytes += len(data)
        return data

    def _refuse_bomb(self, name: str, entry: _Entry, size_bytes: int) -> None:
        ratio = size_bytes / max(entry.packed_bytes, 1)
        if size_bytes > MAX_ENTRY_BYTES or (size_bytes > RATIO_FLOOR_BYTES and ratio > MAX_RATIO):
            raise OversizedBookError(
                f"The entry “{name}” unpacks to {size_bytes:,} bytes, more than a page of a book "
                "can hold; the file looks like a zip bomb."
            )
        if self._unpacked_bytes + size_bytes > MAX_TOTAL_BYTES:
            raise OversizedBookError(
                f"The book unpacks to more than {MAX_TOTAL_BYTES // 2**20} MB of pages."
            )

    def _unpack(self, entry: _Entry) -> bytes:
        if isinstance(entry.source, SalvagedEntry):
            return inflate(self._file, entry.source, MAX_ENTRY_BYTES + 1)
        if self._zip is None:
            raise ValueError("the archive is closed")
        if entry.source.flag_bits & _ENCRYPTED_FLAG:
            raise ProtectedBookError("The EPUB is locked with a password, so it cannot be read.")
        if entry.source.compress_type not in _METHODS:
            raise NotImplementedError("a method that EPUB does not allow")
        return self._zip.read(entry.source)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the container at `path` and close it again.

    Raises UnknownFormatError for what is no zip, DamagedBookError, OversizedBookError.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DamagedBookError(f"The file cannot be read: {error.strerror or error}.") from error
    with file:
        archive = Archive(file)
        if not archive.names:
            raise UnknownFormatError(
                "The file is not an EPUB: it is not a zip archive, or an empty one."
            )
        yield archive


def resolve_reference(base: str, reference: str) -> Target | None:
    """Return what `reference` means inside the entry `base`, or None where it leaves the book.

    A path cannot climb out of the container: a surplus `..` stays at its root.
    """
    try:
        parts = urlsplit(reference.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path).replace("\\", "/")
    name = posixpath.join("/", posixpath.dirname(base), path) if path else "/" + base
    return Target(posixpath.normpath(name).lstrip("/"), unquote(parts.fragment))


def _aliases(name: str) -> Iterator[str]:
    """Yield a name, and what it is when UTF-8 names were stored without saying so."""
    yield name
    try:
        yield name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return


def _fold_name(name: str) -> str:
    name = posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")
    return unicodedata.normalize("NFC", name).casefold()
