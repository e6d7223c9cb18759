"""Which parser reads a file: by its content first, then by its name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from core.errors import BadBookError, DamagedBookError, EmptyBookError, UnknownFormatError
from core.text import ParsedBook
from rag.parsing.txt import parse_txt

log = logging.getLogger(__name__)

SUPPORTED_SUFFIXES = (".epub", ".txt")
"""Endings of the file names that a folder is searched for."""

_READS = "Postil reads EPUB and plain text (TXT) books today."
_HEAD_BYTES = 1024
_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x89PNG\r\n", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"RIFF", "a sound, video or WebP file"),
    (b"ID3", "a sound file (MP3)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"AT&TFORM", "a DjVu document"),
    (b"ITSF", "a compiled HTML help file (CHM)"),
)
_MOBI_TYPES = {b"BOOKMOBI": "a Kindle book (MOBI)", b"TEXtREAd": "a PalmDOC book"}
_MARKUP = (b"<!doctype html", b"<html", b"<?xml")


def parse_book(path: Path, *, name: str) -> ParsedBook:
    """Parse the book at `path`, which the reader knows as `name`.

    Raises:
        UnknownFormatError: it is not a kind of file that Postil reads; the message says what it is.
        BadBookError: it is, but it cannot become a book; see `core.errors`.
    """
    head = _head(path)
    if not head:
        raise EmptyBookError("The file is empty.")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or name.casefold().endswith(".epub"):
        return _parse_zip(path, name)
    if kind := _kind_of(head):
        raise UnknownFormatError(f"This is {kind}. {_READS}")
    return parse_txt(path, name=name)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise DamagedBookError(f"The file cannot be read: {error.strerror}.") from error


def _kind_of(head: bytes) -> str | None:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[60:68] in _MOBI_TYPES:
        return _MOBI_TYPES[head[60:68]]
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        return "an HTML or XML page"
    return None


def _parse_zip(path: Path, name: str) -> ParsedBook:
    from rag.parsing.epub import parse_epub

    try:
        with ZipFile(path) as archive:
            names = set(archive.namelist())
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return parse_epub(path)
    if "word/document.xml" in names:
        raise UnknownFormatError(f"This is a Word document (DOCX). {_READS}")
    if name.casefold().endswith(".epub") or names & {"mimetype", "META-INF/container.xml"}:
        return parse_epub(path)
    raise UnknownFormatError(f"This is a ZIP archive that holds no EPUB book. {_READS}")


def find_books(paths: Iterable[Path], recursive: bool) -> Iterator[Path]:
    """Yield the files that `paths` name, in their order; those of a folder sorted by name.

    A file is yielded whatever its name. Of a folder, the files with a supported ending that lie
    directly in it, and with `recursive` those of the folders below; hidden ones are left out, and
    links to folders are not followed, so that no loop can be entered.

    What lies in a folder and cannot be looked into is passed over, with a warning in the log.

    Raises:
        BadBookError: a path that was given is not there, or cannot be read.
    """
    for path in paths:
        try:
            if path.is_dir():
                yield from _books_in(path, recursive)
            elif path.exists():
                yield path
            else:
                raise BadBookError(f"There is no file or folder “{path}”.")
        except OSError as error:
            raise BadBookError(f"“{path}” cannot be read: {error.strerror}.") from error


def _books_in(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the books of a folder. Raises OSError where it cannot be read."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir():
                if recursive and not entry.is_symlink():
                    yield from _books_in(entry, recursive)
            elif entry.suffix.casefold() in SUPPORTED_SUFFIXES and entry.is_file():
                yield entry
        except OSError as error:
            log.warning("%s cannot be read and was passed over: %s", entry, error.strerror)
