"""The home folder: found, made, refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.books import Book, BookStatus
from core.errors import StorageError
from core.home import HOME_VARIABLE, MODEL_CACHE_VARIABLE, Home, model_cache_dir
from core.text import BookMetadata


def test_the_argument_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "environment"))
    assert Home.locate(tmp_path / "argument").root == tmp_path / "argument"
    assert Home.locate().root == tmp_path / "environment"


def test_without_either_it_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    root = Home.locate().root
    assert root.is_absolute()
    assert root.name == "Postil"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert Home.locate().root.name == "Postil"


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.locate(Path("here")).root == tmp_path / "here"


def test_everything_lies_below_the_root(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.prepare()
    folders = [home.books_dir, home.covers_dir, home.index_dir, home.logs_dir, home.secrets_dir]
    assert all(folder.is_dir() and folder.is_relative_to(tmp_path) for folder in folders)
    assert home.database.parent.is_dir()
    if os.name != "nt":
        assert home.secrets_dir.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot use the folder .*file"):
        Home(tmp_path / "file").prepare()


def test_the_model_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODEL_CACHE_VARIABLE, str(tmp_path))
    assert model_cache_dir() == tmp_path
    monkeypatch.delenv(MODEL_CACHE_VARIABLE)
    assert model_cache_dir().is_absolute()


@pytest.mark.expects_logs
def test_a_file_that_cannot_be_removed_keeps_no_other_from_going(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path)
    home.prepare()
    book = Book(
        1, "hash", BookMetadata("A"), "epub", BookStatus.READY, "a.epub", datetime.now(UTC),
        cover_name="hash.png",
    )  # fmt: skip
    copy, cover = home.files_of(book)
    copy.mkdir()  # what no unlink removes, on any system
    cover.touch()
    home.remove_files_of(book)
    assert copy.exists()
    assert not cover.exists()
    assert str(copy) in caplog.text
    home.remove_files_of(book)  # gone already is no error
