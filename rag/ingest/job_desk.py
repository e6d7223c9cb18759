"""The jobs that one process works on: taken, told of, and watched for what others ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from core.books import BookId
from core.errors import NotFoundError, PostilError
from core.events import EventBus, JobChanged, JobFailed, JobProgressed
from core.jobs import IngestJob, JobHold, JobId, JobState
from core.persistence.owners import current_owner
from core.ports import JobStore
from rag.ingest.progress import Speedometer
from rag.ingest.serial_thread import SerialThread

_HEARTBEAT_SHARE = 0.2
"""Of the silence after which another process takes a job over."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class JobOverError(Exception):
    """The job is not ours to work on: cancelled, gone with its book, or taken by another process.

    The latter happens when this one was silent too long, as over a suspend.
    """

    def __init__(self, job: IngestJob) -> None:
        super().__init__(f"job {job.id} is {job.state}, owner {job.owner}")
        self.job = job


class JobDesk:
    """Moves jobs on in the database, and publishes what has changed after the commit.

    Its methods are called on the loop; the database is used on its own thread.
    """

    def __init__(
        self, jobs: JobStore, events: EventBus, database: SerialThread, stale_after_s: float
    ) -> None:
        self._jobs = jobs
        self._events = events
        self._database = database
        self._stale_after_s = stale_after_s
        self._owner = current_owner()
        self._held: dict[JobId, IngestJob] = {}
        # The last of every other job met here: a job's row goes with its book.
        self._let_go: dict[JobId, IngestJob] = {}
        self._speed = Speedometer()
        self._changed = asyncio.Event()

    def is_paused(self, job_id: JobId) -> bool:
        """Say whether a held job is paused, as far as was heard."""
        return job_id in self._held and self._held[job_id].paused

    def holds(self, job_id: JobId) -> bool:
        """Say whether a job is held here, as far as was heard."""
        return job_id in self._held

    def hold_on(self, job_id: JobId) -> JobHold:
        """Return what shows the library that a job is held here."""
        return JobHold(job_id, self._owner)

    async def create(self, source_path: str, book_id: BookId | None = None) -> IngestJob:
        """Queue a job, and hold it."""
        job = await self._database.run(self._jobs.create, source_path, book_id, self._owner)
        self._held[job.id] = job
        return self._note(job)

    async def claim(self) -> IngestJob | None:
        """Hold the oldest open job that nobody holds and return it, None where there is none."""
        job = await self._database.run(self._jobs.claim_next, self._owner, self._stale_after_s)
        if job is not None:
            self._held[job.id] = job
        return job

    async def enter(
        self, job_id: JobId, state: JobState, error: PostilError | None = None
    ) -> IngestJob:
        """Move a held job on; a final state ends holding it.

        Raises:
            JobOverError: the job is over, in another state, or no longer ours.
        """
        job = await self._on_job(
            job_id,
            self._jobs.set_state,
            job_id,
            state,
            owner=self._owner,
            error=None if error is None else str(error),
            error_kind=None if error is None else type(error).__name__,
        )
        self._note(job)
        if job.state is not state or not (state.is_final or job.owner == self._owner):
            raise JobOverError(job)
        return job

    async def fail(self, job_id: JobId, error: PostilError) -> None:
        """End a held job with an error, unless it is over already or no longer ours."""
        with suppress(JobOverError):
            await self.enter(job_id, JobState.FAILED, error)

    async def cancel(self, job_id: JobId) -> IngestJob:
        """End a job, whoever holds it; return it as it now is, for it may have been over.

        Raises:
            NotFoundError: there is no such job.
            JobOverError: it went with its book.
        """
        return self._note(
            await self._on_job(job_id, self._jobs.set_state, job_id, JobState.CANCELLED)
        )

    async def keep(self, job_id: JobId) -> None:
        """Say that a job is worked on, so that nobody takes it over in the next seconds.

        Raises:
            JobOverError: the job is over, or no longer ours.
        """
        self._check(await self._on_job(job_id, self._jobs.heartbeat, job_id, self._owner))

    async def set_paused(self, job_id: JobId, paused: bool) -> None:
        """Hold a job back, or let it go on.

        Raises:
            NotFoundError: there is no such job.
        """
        self._note(await self._database.run(self._jobs.set_paused, job_id, paused))

    async def expect(self, job_id: JobId, total_characters: int) -> None:
        """Record how much there is to embed."""
        await self._record(job_id, 0, total_characters)

    async def advance(self, job: IngestJob, characters: int, done: int, total: int) -> None:
        """Record that so many characters more were embedded, `done` of `total` by now."""
        assert job.book_id is not None
        await self._record(job.id, done, total)
        self._speed.advance(characters)
        speed, eta_s = self._speed.characters_per_s, self._speed.eta_s(total - done)
        self._events.publish(JobProgressed(job.id, job.book_id, done, total, speed, eta_s))

    async def _record(self, job_id: JobId, done: int, total: int) -> None:
        set_progress = partial(self._jobs.set_progress, owner=self._owner)
        self._check(await self._on_job(job_id, set_progress, job_id, done, total))

    def _check(self, job: IngestJob) -> None:
        if job.owner != self._owner:
            raise JobOverError(self._note(job))

    def stop_clock(self) -> None:
        """Leave the time until the next `advance` out of the speed: nothing is embedded."""
        self._speed.pause()

    async def look(self, job_id: JobId) -> IngestJob:
        """Return a job as it is now, or as it was when its book was removed.

        Raises:
            NotFoundError: there never was such a job here.
        """
        try:
            return await self._on_job(job_id, self._jobs.get, job_id)
        except JobOverError as over:
            return over.job

    async def beat(self) -> list[IngestJob]:
        """Say that all held jobs are worked on; return those that others have ended or taken.

        One look at all jobs; only those not heard of for a while are written to.
        """
        held_ids = list(self._held)
        active = {job.id: job for job in await self._database.run(self._jobs.all, active_only=True)}
        lost: list[IngestJob] = []
        for job_id in held_ids:
            job = active.get(job_id)
            try:
                if job is None or self._is_long_silent(job):
                    job = await self._on_job(job_id, self._jobs.heartbeat, job_id, self._owner)
            except JobOverError as over:
                lost.append(over.job)
                continue
            held = self._held.get(job_id)
            if held is None:
                continue  # it has just ended here
            if job.owner != self._owner:
                lost.append(self._note(job))
            elif job.paused != held.paused:
                self._note(job)
        return lost

    def _is_long_silent(self, job: IngestJob) -> bool:
        if job.heartbeat_at is None:
            return True
        silence_s = (datetime.now(UTC) - job.heartbeat_at).total_seconds()
        return silence_s > self._stale_after_s * _HEARTBEAT_SHARE

    async def release_all(self) -> None:
        """Give all held jobs up; whoever comes next goes on with them."""
        self._held.clear()
        await self._database.run(self._jobs.release, self._owner)

    async def wait_for_change(self, timeout_s: float) -> None:
        """Wait until a job changes here, or so long: other processes change jobs too."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    async def _on_job(
        self,
        job_id: JobId,
        function: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Use the database for a job that may have gone together with its book."""
        try:
            return await self._database.run(function, *args, **kwargs)
        except NotFoundError:
            job = self._held.get(job_id) or self._let_go.get(job_id)
            if job is None:
                raise
            raise JobOverError(
                self._note(replace(job, state=JobState.CANCELLED, owner=None))
            ) from None

    def _note(self, job: IngestJob) -> IngestJob:
        """Keep what a job has become, and tell of it."""
        if job.owner != self._owner:
            self._held.pop(job.id, None)
            self._let_go[job.id] = job
        elif job.id in self._held:
            self._held[job.id] = job
        self._events.publish(JobChanged(job.id, job.book_id, job.state, job.paused))
        if job.state is JobState.FAILED:
            self._events.publish(JobFailed(job.id, job.book_id, job.error or ""))
        self._changed.set()
        self._changed = asyncio.Event()
        return job
