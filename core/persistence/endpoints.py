"""Endpoints by name; their keys are kept elsewhere (core.secrets)."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, insert, select, update

from core.endpoints import Endpoint
from core.errors import ConflictError, NotFoundError
from core.persistence.database import ConstraintError, Database
from core.persistence.tables import endpoints


class SqlEndpointStore:
    """Implements core.ports.EndpointStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, endpoint: Endpoint) -> None:
        """Add an endpoint. A name that is taken raises ConflictError."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(endpoints).values(asdict(endpoint)))
        except ConstraintError as error:
            raise _taken(endpoint.name) from error

    def replace(self, name: str, endpoint: Endpoint) -> None:
        """Change an endpoint, its name included. A new name that is taken raises ConflictError."""
        statement = update(endpoints).where(endpoints.c.name == name).values(asdict(endpoint))
        try:
            with self._database.write() as connection:
                if connection.execute(statement).rowcount == 0:
                    raise _unknown(name)
        except ConstraintError as error:
            raise _taken(endpoint.name) from error

    def get(self, name: str) -> Endpoint:
        """Return one endpoint."""
        with self._database.read() as connection:
            row = connection.execute(
                select(endpoints).where(endpoints.c.name == name)
            ).one_or_none()
        if row is None:
            raise _unknown(name)
        return Endpoint(**row._mapping)

    def all(self) -> list[Endpoint]:
        """Return all, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(endpoints).order_by(endpoints.c.name)).all()
        return [Endpoint(**row._mapping) for row in rows]

    def remove(self, name: str) -> None:
        """Remove one."""
        with self._database.write() as connection:
            statement = delete(endpoints).where(endpoints.c.name == name)
            if connection.execute(statement).rowcount == 0:
                raise _unknown(name)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"There is an endpoint named “{name}” already. Choose another name.")


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"There is no endpoint named “{name}”.")
