"""The SQLite file: connections, transactions, and errors in words for the reader."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import StorageError

BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process."""

_TURN_TIMEOUT_S = 120.0  # for the other threads of this process

_READERS = 4  # connections kept open
_MORE_READERS = 28  # opened at need, so that no reader waits for another

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",  # KiB for each connection
)


class ConstraintError(StorageError):
    """A change went against a key or a reference; the store that made it says what that means."""


class Database:
    """One SQLite file in WAL mode, usable from any thread.

    Reads run beside each other and beside the one write; writes take turns, here by a pool that
    holds a single connection, between processes by BEGIN IMMEDIATE and the busy timeout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = _engine(path, pool_size=_READERS, max_overflow=_MORE_READERS, begin="BEGIN")
        self._writer = _engine(path, pool_size=1, max_overflow=0, begin="BEGIN IMMEDIATE")
        self._snapshots = _Snapshots()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database throughout.

        Inside a `snapshot` of this thread it is the snapshot's.
        """
        with self._in_words():
            if self._snapshots.current is not None:
                yield self._snapshots.current
            else:
                with self._readers.begin() as connection:
                    yield connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that this thread reads meanwhile see one state, by one transaction.

        What is written meanwhile, by this thread too, is not seen.
        """
        with self.read() as connection:
            outer, self._snapshots.current = self._snapshots.current, connection
            try:
                yield
            finally:
                self._snapshots.current = outer

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open the one writing transaction: committed at the end, rolled back by an exception."""
        with self._in_words(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; the last one out folds the write-ahead log into the file."""
        self._readers.dispose()
        self._writer.dispose()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise ConstraintError(_describe(error.orig, self.path)) from error
        except exc.TimeoutError as error:
            raise StorageError(
                f"The library {self.path} is busy: a request waited for {_TURN_TIMEOUT_S:.0f} s. "
                "Try again."
            ) from error
        except exc.DBAPIError as error:
            raise StorageError(_describe(error.orig, self.path)) from error
        except sqlite3.Error as error:  # while a connection is being set up
            raise StorageError(_describe(error, self.path)) from error


class _Snapshots(threading.local):
    """The transaction that the reads of a thread join, None where each opens its own."""

    current: Connection | None = None


def fetch(connection: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query, by the driver's own cursor.

    For what a search asks: SQLAlchemy takes 50 µs to 200 µs for a statement, the driver 3 µs.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def _engine(path: Path, pool_size: int, max_overflow: int, begin: str) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=_TURN_TIMEOUT_S,
        pool_use_lifo=True,  # the connection used last has its pages at hand
        # isolation_level None: transactions begin where we say, not where the driver guesses.
        connect_args={
            "timeout": BUSY_TIMEOUT_S,
            "check_same_thread": False,
            "isolation_level": None,
        },
        json_serializer=partial(json.dumps, ensure_ascii=False),
    )

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma).close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _describe(error: BaseException | None, path: Path) -> str:
    """Say what SQLite's error means for the reader."""
    # Extended codes carry the primary one in their lowest byte.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return f"The disk that holds {path} is full. Free some space and try again."
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"The library {path} may not be written. Make the file and its folder writable."
        case sqlite3.SQLITE_CANTOPEN:
            return f"The library {path} cannot be opened. Check that its folder may be written."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"The library {path} is damaged. Put back a copy of it, or begin a new library."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"The library {path} is in use by another program. Try again."
        case sqlite3.SQLITE_IOERR:
            return f"The disk that holds {path} failed to read or write ({error})."
        case _:
            return f"The library {path} refused: {error}."
