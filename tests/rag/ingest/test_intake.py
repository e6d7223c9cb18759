"""Copies of source files: whole or not there, and every refusal in words."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import (
    BadBookError,
    CancelledByReaderError,
    OversizedBookError,
    StorageError,
    UnknownFormatError,
)
from rag.ingest.intake import Intake, remove_abandoned, write_whole


@pytest.fixture
def books_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    return folder


@pytest.fixture
def intake(books_dir: Path) -> Intake:
    return Intake(books_dir, max_file_bytes=10_000_000)


def test_a_copy_is_named_by_its_content(intake: Intake, books_dir: Path, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "a.epub"
    source.write_bytes(data)
    copy = intake.take(source)
    assert copy.content_hash == hashlib.sha256(data).hexdigest()
    assert copy.path.read_bytes() == data
    assert intake.take(source) == copy
    assert list(books_dir.iterdir()) == [copy.path]


@pytest.mark.skipif(sys.platform == "win32", reason="file names are text there")
def test_a_name_may_hold_bytes_that_are_no_text(intake: Intake, tmp_path: Path) -> None:
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n\xff.txt"))
    source.write_bytes(b"text")
    assert intake.take(source).path.read_bytes() == b"text"
    source.unlink()
    with pytest.raises(BadBookError, match="caf\N{REPLACEMENT CHARACTER} "):
        intake.take(source)


def test_what_is_no_file_is_refused(intake: Intake, tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match="folder"):
        intake.take(tmp_path)
    with pytest.raises(BadBookError, match="no file"):
        intake.take(tmp_path / "missing.txt")
    with pytest.raises(BadBookError, match="no file"):
        intake.take(tmp_path / "missing" / "missing.txt")
    with pytest.raises(BadBookError, match="cannot be read"):
        intake.take(tmp_path / "\0.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders there")
def test_a_pipe_is_refused_and_not_waited_for(intake: Intake, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnknownFormatError, match="device"):
        intake.take(tmp_path / "pipe.txt")


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="everything may be read here"
)
def test_a_file_that_may_not_be_read_is_named_so(intake: Intake, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"text")
    source.chmod(0)
    with pytest.raises(BadBookError, match="permission"):
        intake.take(source)


def test_a_huge_file_leaves_nothing_behind(books_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(bytes(3_000_000))
    with pytest.raises(OversizedBookError, match="larger than 2 MiB"):
        Intake(books_dir, max_file_bytes=2 * 1024 * 1024).take(source)
    assert not list(books_dir.iterdir())


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(
    intake: Intake, books_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The system's answer is scripted: no test can fill a disk."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source = tmp_path / "a.txt"
    source.write_bytes(b"text")
    monkeypatch.setattr("os.fsync" if call == "fsync" else "pathlib.Path.replace", refuse)
    with pytest.raises(StorageError, match="full"):
        intake.take(source)
    assert not list(books_dir.iterdir())


def test_a_folder_that_is_gone_is_a_storage_error(intake: Intake, books_dir: Path) -> None:
    source = books_dir.parent / "a.txt"
    source.write_bytes(b"text")
    books_dir.rmdir()
    with pytest.raises(StorageError, match="cannot write"):
        intake.take(source)


def test_stop_ends_a_copy(intake: Intake, books_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"text")
    intake.stop()
    with pytest.raises(CancelledByReaderError):
        intake.take(source)
    assert not list(books_dir.iterdir())


def test_many_may_copy_the_same_at_once(books_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(os.urandom(500_000))
    threads = [
        threading.Thread(target=Intake(books_dir, 10_000_000).take, args=(source,))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (copy,) = books_dir.iterdir()
    assert copy.read_bytes() == source.read_bytes()


def test_many_may_write_the_same_cover_at_once(tmp_path: Path) -> None:
    """The last one wins, and none finds its half-made file taken away."""
    path = tmp_path / "cover.png"
    pictures = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(len(pictures)) as pool:
        for written in [pool.submit(write_whole, path, data) for data in pictures * 5]:
            written.result()
    assert path.read_bytes() in pictures
    assert list(tmp_path.iterdir()) == [path]


def test_a_cover_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    folder = tmp_path / "cover.png"
    folder.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_whole(folder, b"picture")
    assert list(tmp_path.iterdir()) == [folder]


def test_only_old_leftovers_are_removed(books_dir: Path) -> None:
    old, new = books_dir / ".incoming-old", books_dir / ".incoming-new"
    for path in (old, new):
        path.touch()
    os.utime(old, (1, 1))
    remove_abandoned(books_dir)
    assert list(books_dir.iterdir()) == [new]
