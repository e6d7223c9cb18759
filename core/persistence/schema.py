"""Bringing a library's schema up to this program's: Alembic, loaded only when there is work."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from core.errors import StorageError
from core.persistence.database import Database

HEAD_REVISION = "0001"
"""The newest migration; a test holds it against the scripts."""


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that a library lacks, all in one transaction.

    Raises:
        StorageError: the library was written by a newer program, or is another program's database.
    """
    with database.read() as connection:
        revision = _revision(connection)
    if revision == HEAD_REVISION:
        return
    import alembic.command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StorageError(
            f"The library {database.path} was written by a newer Postil (schema {revision}). "
            "Update Postil to open it."
        )
    with database.write() as connection:
        if _revision(connection) == HEAD_REVISION:  # another process was faster
            return
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Return the library's revision, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if tables:
        path = connection.engine.url.database
        raise StorageError(f"The file {path} is not a Postil library.")
    return None
