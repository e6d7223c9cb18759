"""Which parser reads a file, and which files of a folder are books."""

from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import (
    BadBookError,
    DamagedBookError,
    EmptyBookError,
    UnknownFormatError,
)
from rag.parsing.formats import SUPPORTED_SUFFIXES, find_books, parse_book
from support.epubs import write_with_ebooklib

_ROOT = Path(__file__).parents[3]


def _zip(**entries: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def _parse(folder: Path, data: bytes, name: str) -> str:
    path = folder / "0f3a"  # as the library keeps it: its content's hash, without an ending
    path.write_bytes(data)
    return parse_book(path, name=name).text


def test_text_is_read_whatever_its_name(tmp_path: Path) -> None:
    for name in ("book.txt", "book", "README.md", "книга.TXT"):
        assert _parse(tmp_path, b"Ein kurzer Text.", name) == "Ein kurzer Text."


@pytest.mark.parametrize("name", ["book.epub", "book", "book.txt"])
def test_an_epub_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = write_with_ebooklib(tmp_path / "0f3a", [("One", "<p>A first chapter.</p>")])
    book = parse_book(path, name=name)
    assert book.format == "epub"
    assert "A first chapter." in book.text


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"%PDF-1.7\n%...", "a.pdf", "PDF"),
        (b"%PDF-1.7\n%...", "disguised.txt", "PDF"),
        (b"{\\rtf1\\ansi Hello}", "a.rtf", "RTF"),
        (gzip.compress(b"hello"), "a.txt.gz", "gzip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "cover.png", "picture"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "cover.jpg", "picture"),
        (b"\x7fELF\x02\x01" + bytes(50), "a.out", "program"),
        (bytes(60) + b"BOOKMOBI" + bytes(60), "a.mobi", "Kindle"),
        (b"<!DOCTYPE html><html><p>Hi</p>", "a.html", "HTML"),
        (b"\xef\xbb\xbf\n<html>", "a.txt", "HTML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "a.doc", "Office"),
        (_zip(word__document="x", **{"word__document.xml": "<w/>"}), "a.docx", "DOCX"),
        (_zip(readme="x"), "a.zip", "ZIP"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    with pytest.raises(UnknownFormatError, match=said) as raised:
        _parse(tmp_path, data, name)
    assert "Postil reads EPUB and plain text (TXT)" in str(raised.value)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    for name in ("a.txt", "a.epub"):
        with pytest.raises(EmptyBookError):
            _parse(tmp_path, b"", name)


def test_binary_junk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBookError, match="not text"):
        _parse(tmp_path, bytes(range(256)) * 9, "junk.txt")


@pytest.mark.parametrize("data", [b"this is no archive", b"PK\x03\x04broken"])
def test_a_broken_epub_is_no_text(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadBookError):
        _parse(tmp_path, data, "book.epub")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedBookError, match="cannot be read"):
        parse_book(tmp_path / "missing.txt", name="missing.txt")


_NAMES = (
    "b.txt",
    "a.epub",
    "C.TXT",
    "notes.pdf",
    ".hidden.txt",
    ".git/f.txt",
    "sub/d.txt",
    "sub/deep/e.epub",
    "sub/片段 é.txt",
)


def _tree(root: Path) -> None:
    for name in _NAMES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_a_folder_gives_the_books_directly_in_it(tmp_path: Path) -> None:
    _tree(tmp_path)
    assert [p.name for p in find_books([tmp_path], recursive=False)] == ["C.TXT", "a.epub", "b.txt"]


def test_recursion_takes_the_tree_but_nothing_hidden(tmp_path: Path) -> None:
    _tree(tmp_path)
    found = [p.relative_to(tmp_path).as_posix() for p in find_books([tmp_path], recursive=True)]
    assert found == ["C.TXT", "a.epub", "b.txt", "sub/d.txt", "sub/deep/e.epub", "sub/片段 é.txt"]
    assert all(Path(name).suffix.casefold() in SUPPORTED_SUFFIXES for name in found)


def test_a_file_named_by_the_reader_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    _tree(tmp_path)
    given = [tmp_path / "notes.pdf", tmp_path / ".hidden.txt", tmp_path / "sub"]
    found = [p.name for p in find_books(given, recursive=False)]
    assert found == ["notes.pdf", ".hidden.txt", "d.txt", "片段 é.txt"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    _tree(tmp_path)
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "b.txt")
    names = [p.name for p in find_books([tmp_path], recursive=True)]
    assert names.count("b.txt") == 1
    assert "link.txt" in names
    assert "dangling.txt" not in names


def test_a_folder_with_a_books_name_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "unpacked.epub").mkdir()
    assert list(find_books([tmp_path], recursive=False)) == []


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadBookError, match="no file or folder"):
        list(find_books([tmp_path / "gone.txt"], recursive=False))


def test_a_path_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(BadBookError, match=r"cannot be read: .+\."):
        list(find_books([tmp_path / ("long" * 100)], recursive=False))


@pytest.mark.expects_logs
def test_a_folder_below_that_cannot_be_read_costs_only_its_own_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "deep":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_iterdir(folder)

    real_iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", iterdir)
    _tree(tmp_path)
    names = [p.name for p in find_books([tmp_path], recursive=True)]
    assert names == ["C.TXT", "a.epub", "b.txt", "d.txt", "片段 é.txt"]
    assert f"{tmp_path / 'sub' / 'deep'} cannot be read" in caplog.text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    try:
        with pytest.raises(BadBookError, match="cannot be read"):
            list(find_books([locked], recursive=False))
    finally:
        locked.chmod(0o700)


def test_no_array_library_is_loaded_before_a_text_is_read() -> None:
    """Each worker process begins with this import, and most books are EPUBs."""
    code = "import sys, rag.parsing.formats; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert done.stdout == "False\n"
