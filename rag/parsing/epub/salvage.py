"""Entries of a zip whose directory is lost, found by their local headers.

A download that was cut short has lost the directory at its end, but each entry still begins with a
header of its own (section 4.3.7 of PKWARE's APPNOTE.TXT), and a deflate stream knows where it ends.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

_SIGNATURE = b"PK\x03\x04"
_HEADER = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED_FLAG, _DESCRIPTOR_FLAG = 0x1, 0x8
_RAW_DEFLATE = -15


@dataclass(frozen=True, slots=True)
class SalvagedEntry:
    """An entry as its local header describes it.

    Attributes:
        name: its path in the container.
        start: offset of its packed bytes in the file.
        packed_bytes: their number; up to the next header where the header does not say.
        size_bytes: unpacked, 0 where the header does not say.
        deflated: packed by deflate, not stored.
    """

    name: str
    start: int
    packed_bytes: int
    size_bytes: int
    deflated: bool


def salvage_entries(file: BinaryIO, limit: int) -> list[SalvagedEntry]:
    """Return at most `limit` readable entries of a zip file, in file order."""
    entries: list[SalvagedEntry] = []
    with _mapped(file) as data:
        at = data.find(_SIGNATURE)
        while at >= 0 and len(entries) < limit:
            entry = _entry_at(data, at)
            if entry is not None:
                entries.append(entry)
            resume = at + len(_SIGNATURE) if entry is None else entry.start + entry.packed_bytes
            at = data.find(_SIGNATURE, resume)
    return entries


@contextmanager
def _mapped(file: BinaryIO) -> Iterator[mmap.mmap | bytes]:
    """Map a file into memory, so that looking through a large one costs none."""
    if file.seek(0, os.SEEK_END) == 0:
        yield b""
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _entry_at(data: mmap.mmap | bytes, at: int) -> SalvagedEntry | None:
    if at + _HEADER.size > len(data):
        return None
    fields = _HEADER.unpack_from(data, at)
    flags, method, packed, size, name_length, extra_length = (*fields[2:4], *fields[7:11])
    if method not in (_STORED, _DEFLATED) or flags & _ENCRYPTED_FLAG:
        return None
    name_at = at + _HEADER.size
    name = _decode_name(data[name_at : name_at + name_length])
    start = name_at + name_length + extra_length
    if not name or name.endswith("/") or start >= len(data):
        return None
    if flags & _DESCRIPTOR_FLAG and not packed:
        following = data.find(_SIGNATURE, start)
        packed = (following if following >= 0 else len(data)) - start
    return SalvagedEntry(name, start, min(packed, len(data) - start), size, method == _DEFLATED)


def _decode_name(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def inflate(file: BinaryIO, entry: SalvagedEntry, max_bytes: int) -> bytes:
    """Unpack an entry as far as it goes, never past `max_bytes`. Raises zlib.error."""
    file.seek(entry.start)
    packed = file.read(min(entry.packed_bytes, max_bytes))
    if not entry.deflated:
        return packed
    return zlib.decompressobj(_RAW_DEFLATE).decompress(packed, max_bytes)
