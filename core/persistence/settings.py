"""Settings as key and JSON value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from core.persistence.database import Database
from core.persistence.tables import settings


class SqlSettingsStore:
    """Implements core.ports.SettingsStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Mapping[str, Any]:
        """Return all values that were ever set."""
        with self._database.read() as connection:
            return {row.key: row.value for row in connection.execute(select(settings))}

    def write(self, values: Mapping[str, Any]) -> None:
        """Set these, leaving the others."""
        if not values:
            return
        statement = upsert(settings)
        statement = statement.on_conflict_do_update(
            index_elements=[settings.c.key], set_={"value": statement.excluded.value}
        )
        rows = [{"key": key, "value": value} for key, value in values.items()]
        with self._database.write() as connection:
            connection.execute(statement, rows)
