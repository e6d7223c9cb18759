"""The queue of ingest jobs, shared by all processes on a library."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.books import BookId
from core.errors import NotFoundError
from core.jobs import IngestJob, JobId, JobState
from core.persistence.database import ConstraintError, Database
from core.persistence.owners import is_dead
from core.persistence.tables import jobs

_FINAL = [state for state in JobState if state.is_final]


class SqlJobStore:
    """Implements core.ports.JobStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, source_path: str, book_id: BookId | None, owner: str | None = None
    ) -> IngestJob:
        """Queue a job; with `owner` it is taken at once."""
        now = datetime.now(UTC)
        values = {
            "source_path": source_path,
            "book_id": book_id,
            "state": JobState.QUEUED,
            "paused": False,
            "done_characters": 0,
            "total_characters": 0,
            "owner": owner,
            "heartbeat_at": now if owner else None,
            "created_at": now,
        }
        try:
            with self._database.write() as connection:
                return _job(connection.execute(insert(jobs).values(values).returning(jobs)).one())
        except ConstraintError as error:
            raise _no_book(book_id) from error

    def get(self, job_id: JobId) -> IngestJob:
        """Return one job."""
        with self._database.read() as connection:
            return _get(connection, job_id)

    def all(self, *, active_only: bool = False) -> list[IngestJob]:
        """Return jobs, oldest first."""
        query = select(jobs).order_by(jobs.c.id)
        if active_only:
            query = query.where(jobs.c.state.not_in(_FINAL))
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def claim_next(self, owner: str, stale_after_s: float) -> IngestJob | None:
        """Take the oldest open job that is not paused and nobody's, or whose owner is silent.

        An owner is silent when its heartbeat is older than `stale_after_s`, or sooner when it was a
        process of this host that is no more.
        """
        now = datetime.now(UTC)
        query = select(jobs).where(jobs.c.state.not_in(_FINAL), ~jobs.c.paused).order_by(jobs.c.id)
        with self._database.write() as connection:
            for row in connection.execute(query).all():
                if _is_free(_job(row), now, stale_after_s):
                    return _change(connection, row.id, owner=owner, heartbeat_at=now)
        return None

    def heartbeat(self, job_id: JobId, owner: str) -> IngestJob:
        """Say that `owner` still works on the job; return it as it now is.

        A job that another owner has taken over stays that owner's: look at `owner` in the result.
        """
        with self._database.write() as connection:
            job = _get(connection, job_id)
            if job.owner != owner or job.state.is_final:
                return job
            return _change(connection, job_id, heartbeat_at=datetime.now(UTC))

    def set_state(
        self,
        job_id: JobId,
        state: JobState,
        *,
        owner: str | None = None,
        error: str | None = None,
        error_kind: str | None = None,
    ) -> IngestJob:
        """Move a job on; return it as it now is.

        A final job stays as it is, and with `owner` so does one that this owner does not hold.
        """
        now = datetime.now(UTC)
        with self._database.write() as connection:
            job = _get(connection, job_id)
            if job.state.is_final or owner not in (None, job.owner):
                return job
            values: dict[str, Any] = {"state": state, "error": error, "error_kind": error_kind}
            if job.started_at is None and state is not JobState.QUEUED:
                values["started_at"] = now
            if state.is_final:
                values |= {"finished_at": now, "owner": None, "heartbeat_at": None}
            return _change(connection, job_id, **values)

    def set_book(self, job_id: JobId, book_id: BookId) -> None:
        """Tie a job to its book."""
        try:
            self._update(job_id, book_id=book_id)
        except ConstraintError as error:
            raise _no_book(book_id) from error

    def set_progress(
        self, job_id: JobId, done_characters: int, total_characters: int, *, owner: str
    ) -> IngestJob:
        """Record progress, unless the owner does not hold the job; return it as it now is."""
        with self._database.write() as connection:
            job = _get(connection, job_id)
            if job.owner != owner:
                return job
            return _change(
                connection,
                job_id,
                done_characters=done_characters,
                total_characters=total_characters,
            )

    def set_paused(self, job_id: JobId, paused: bool) -> IngestJob:
        """Hold a job, or let it go on."""
        return self._update(job_id, paused=paused)

    def _update(self, job_id: JobId, **values: object) -> IngestJob:
        with self._database.write() as connection:
            return _change(connection, job_id, **values)

    def release(self, owner: str) -> None:
        """Give up all jobs of an owner that is closing; they stay where they are."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.owner == owner).values(owner=None, heartbeat_at=None)
            )


def _is_free(job: IngestJob, now: datetime, stale_after_s: float) -> bool:
    if job.owner is None or job.heartbeat_at is None:
        return True
    silence_s = (now - job.heartbeat_at).total_seconds()
    return silence_s > stale_after_s or is_dead(job.owner, silence_s)


def _get(connection: Connection, job_id: JobId) -> IngestJob:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no job {job_id}.")
    return _job(row)


def _change(connection: Connection, job_id: JobId, **values: object) -> IngestJob:
    row = connection.execute(
        update(jobs).where(jobs.c.id == job_id).values(values).returning(jobs)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no job {job_id}.")
    return _job(row)


def _no_book(book_id: BookId | None) -> NotFoundError:
    return NotFoundError(f"There is no book {book_id} in the library.")


def _job(row: Row[Any]) -> IngestJob:
    return IngestJob(**{**row._mapping, "state": JobState(row.state)})
