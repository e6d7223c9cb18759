"""Opening a library: new, again, by another version, damaged, full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import core.persistence.migrations
from core.errors import StorageError
from core.home import Home
from core.persistence import tables
from core.persistence.library import Library, open_library
from core.persistence.schema import HEAD_REVISION
from core.scope import Scope
from support.stored_books import store_book

TEXTS = [f"paragraph {n} of whales" for n in range(200)]


def execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_what_was_stored_is_there_after_opening_again(home: Home) -> None:
    first = open_library(home)
    book = store_book(first.books, TEXTS)
    first.close()
    second = open_library(home)
    assert second.books.all() == [book]
    assert second.lexical.search(["whale"], None, 5, "chunk")
    second.close()


def test_a_folder_name_may_hold_any_character(tmp_path: Path) -> None:
    library = open_library(Home(tmp_path / "a b%20?é#'\"鲸"))
    store_book(library.books, TEXTS)
    library.close()


def test_tables_and_migrations_agree(library: Library) -> None:
    with library._database.read() as connection:
        own = set(tables.metadata.tables)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                # Leave out the full-text tables, which SQLAlchemy does not describe.
                "include_name": lambda name, kind, parents: kind != "table" or name in own,
            },
        )
        assert compare_metadata(context, tables.metadata) == []
        assert own < set(inspect(connection).get_table_names())


def test_the_head_revision_is_the_newest_migration() -> None:
    config = Config()
    folder = Path(core.persistence.migrations.__path__[0])
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_opening_a_library_that_is_up_to_date_does_not_load_alembic(home: Home) -> None:
    open_library(home).close()
    script = (
        "import sys; from pathlib import Path; from core.home import Home; "
        "from core.persistence.library import open_library; "
        f"open_library(Home(Path({str(home.root)!r}))).close(); "
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path.cwd())


def test_a_library_of_a_newer_program_is_left_alone(home: Home) -> None:
    open_library(home).close()
    execute(home.database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer Postil"):
        open_library(home)


def test_another_programs_database_is_left_alone(home: Home) -> None:
    home.prepare()
    execute(home.database, "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StorageError, match="not a Postil library"):
        open_library(home)


def test_a_file_that_is_no_database_is_named(home: Home) -> None:
    home.prepare()
    home.database.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StorageError, match=r"postil\.db is damaged"):
        open_library(home)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_named(home: Home, share: float) -> None:
    library = open_library(home)
    store_book(library.books, TEXTS)
    library.close()
    with home.database.open("r+b") as file:
        file.truncate(int(home.database.stat().st_size * share))

    def use_everything() -> None:
        opened = open_library(home)
        try:
            opened.books.text(1)
            opened.lexical.search(["whale", "paragraph"], None, 500, "chunk")
            opened.books.remove(1)
        finally:
            opened.close()

    with pytest.raises(StorageError, match=r"postil\.db is damaged"):
        use_everything()


def test_a_full_disk_is_said_and_nothing_is_lost(library: Library) -> None:
    kept = store_book(library.books, TEXTS, "Kept")
    with library._database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StorageError, match=r"full\. Free some space"):
        store_book(library.books, ["x" * 5000] * 50, "Too much")
    assert library.books.text(kept.id) == "\n".join(TEXTS)
    assert library.lexical.search(["whale"], None, 5, "chunk")


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use the folder"):
        open_library(Home(tmp_path / "file" / "home"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_home_is_refused(home: Home) -> None:
    open_library(home).close()
    home.library_dir.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="may not write"):
            open_library(home)
    finally:
        home.library_dir.chmod(0o700)


def test_a_folder_that_vanished_is_said(home: Home) -> None:
    home.prepare()
    from core.persistence.database import Database

    shutil.rmtree(home.library_dir)
    database = Database(home.database)
    with pytest.raises(StorageError, match="cannot be opened"), database.read():
        pass
    database.close()


def test_removal_leaves_nothing_behind(library: Library) -> None:
    book = store_book(library.books, TEXTS)
    library.jobs.create("a.txt", book.id)
    library.books.remove(book.id)
    with library._database.read() as connection:
        for table in ("books", "blocks", "chapters", "chunks", "parents", "embeddings", "jobs"):
            count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            assert count == 0, table
        words = connection.exec_driver_sql("SELECT count(*) FROM chunk_vocabulary").scalar_one()
        assert words == 0
    with library._database.write() as connection:
        for table in ("chunk_words", "parent_words"):
            connection.exec_driver_sql(f"INSERT INTO {table}({table}) VALUES ('integrity-check')")
    assert library.books.resolve(Scope.library()).chunks is None
