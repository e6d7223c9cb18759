"""Takes files into the library, in the background."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from core.errors import CancelledByReaderError, ConflictError, StorageError
from core.events import EventBus
from core.home import Home
from core.jobs import IngestJob, JobId, JobState
from core.persistence.library import Library
from rag.ingest.embedding_stage import EmbeddingStage
from rag.ingest.intake import Intake, remove_abandoned
from rag.ingest.job_desk import JobDesk, JobOverError
from rag.ingest.job_loop import JobLoop
from rag.ingest.limits import IngestLimits
from rag.ingest.reception import Reception
from rag.ingest.serial_thread import SerialThread
from rag.ingest.text_stage import TextStage
from rag.ingest.worker_process import WorkerProcess
from rag.ports import Embedder
from rag.vectors import VectorIndex

_WAIT_LOOK_S = 0.5

log = logging.getLogger(__name__)


class AsyncIngestRunner:
    """Owns the queue of ingest jobs, and the worker process that does their heavy part.

    Every job is a row and every batch a commit, so that a crash loses at most the batch in hand.
    Works on any asyncio loop and never blocks it: the database, the files and the worker's pipe
    have a thread each. Several processes may run one on the same library.
    """

    def __init__(
        self,
        library: Library,
        home: Home,
        events: EventBus,
        embedder: Embedder,
        vectors: VectorIndex,
        limits: IngestLimits | None = None,
    ) -> None:
        """Join the parts; nothing runs before `start`.

        Args:
            library: where books, jobs and embeddings are kept.
            home: where copies of the files go.
            events: told of all that changes.
            embedder: names the embedding model; the worker loads it anew, from the model cache.
            vectors: the live index, spared from reading what is embedded here.
            limits: what a book may cost.
        """
        limits = limits or IngestLimits()
        self._home = home
        self._heartbeat_s = limits.heartbeat_s
        self._books = library.books
        self._jobs = library.jobs
        self._database = SerialThread("ingest-database")
        self._files = SerialThread("ingest-files")
        self._worker = WorkerProcess(limits)
        self._intake = Intake(home.books_dir, limits.max_file_bytes)
        self._desk = JobDesk(library.jobs, events, self._database, limits.stale_after_s)
        self._reception = Reception(
            library, home, events, self._desk, self._intake, self._files, self._database
        )
        self._embedding_stage = EmbeddingStage(
            library, embedder, vectors, self._database, self._worker, limits.batch_chunks
        )
        self._loop = JobLoop(
            library.books,
            events,
            self._desk,
            self._reception,
            TextStage(library.books, home, self._database, self._worker),
            self._embedding_stage,
            self._database,
            self._worker,
            limits,
        )
        self._receiving = asyncio.Lock()
        self._working: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to work: on jobs that were left, on books without embeddings, on what is added.

        Raises:
            StorageError: the library refuses.
        """
        async with self._receiving:
            if self._closed:
                return
            for folder in (self._home.books_dir, self._home.covers_dir):
                await self._files.run(remove_abandoned, folder)
            await self._queue_missing_embeddings()
            self._working = asyncio.create_task(self._loop.run())
            self._beating = asyncio.create_task(self._keep_beating())
        for task in (self._working, self._beating):
            task.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Stop, and leave every unfinished job where it is for the next start. Twice is no error.

        At most the batch in hand is lost.
        """
        if self._closed:
            return
        self._closed = True
        self._intake.stop()
        self._loop.stop()
        async with self._receiving:
            if self._beating is not None:
                self._beating.cancel()
            tasks = [task for task in (self._working, self._beating) if task is not None]
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(StorageError):  # jobs that cannot be released are taken over when stale
                await self._desk.release_all()
            await self._worker.close()
            await self._files.close()
            await self._database.close()

    async def add(self, paths: Iterable[Path]) -> list[JobId]:
        """Copy files into the library and queue a job for each; return the jobs in that order.

        Content that the library has gives a job that is done, or the one that is at it. A file that
        cannot be taken gives a job that has failed; it keeps no other from being taken.

        Raises:
            StorageError: the library's database refuses.
            CancelledByReaderError: the runner is closed.
        """
        async with self._receiving:
            if self._closed:
                raise CancelledByReaderError("Postil is closing.")
            return [await self._add(path) for path in paths]

    async def _add(self, path: Path) -> JobId:
        job = await self._desk.create(_source_path(path))
        received = await self._reception.receive(job)
        if received.job is not None:
            self._loop.put(received.job)
        return received.job_id

    async def pause(self, job_id: JobId) -> None:
        """Hold a job; it stops after the batch in hand, or when its text is stored.

        Raises:
            NotFoundError: there is no such job.
        """
        await self._desk.set_paused(job_id, True)

    async def resume(self, job_id: JobId) -> None:
        """Let a paused job go on from where it was.

        Raises:
            NotFoundError: there is no such job.
        """
        await self._desk.set_paused(job_id, False)
        self._loop.wake()

    async def cancel(self, job_id: JobId) -> None:
        """End a job for good, unless it is over already.

        A book that the job brought into the library goes with it, unless its reading has begun.

        Raises:
            NotFoundError: there is no such job.
        """
        with suppress(JobOverError):
            await self._loop.let_go(await self._desk.cancel(job_id))

    async def retry(self, job_id: JobId) -> JobId:
        """Queue a new job for the file of one that failed or was cancelled.

        Raises:
            NotFoundError: there is no such job.
            ConflictError: the job did not fail.
        """
        job = await self._desk.look(job_id)
        if job.state not in (JobState.FAILED, JobState.CANCELLED):
            raise ConflictError("Only a book that failed or was cancelled can be tried again.")
        if job.book_id is None:
            return (await self.add([Path(job.source_path)]))[0]
        received = await self._reception.receive_again(job)
        if received.job is not None:
            self._loop.put(received.job)
        return received.job_id

    async def wait(self, job_ids: Sequence[JobId], *, also_paused: bool = False) -> list[IngestJob]:
        """Wait until all these jobs are over, and return them in this order.

        Args:
            job_ids: jobs of any process.
            also_paused: wait for no job that is paused and not held here, and return it as it is.
                Else it keeps this waiting, until it goes on elsewhere.

        Raises:
            NotFoundError: there is no such job.
            PostilError: nothing goes on, though tried again and again; a StorageError where it is
                the library that refuses. The jobs are tried further.
        """
        seen: dict[JobId, IngestJob] = {}
        while True:
            for job_id in job_ids:
                if job_id not in seen:
                    job = await self._desk.look(job_id)
                    is_left = job.paused and not self._desk.holds(job_id)
                    if job.state.is_final or (also_paused and is_left):
                        seen[job_id] = job
            if len(seen) == len(set(job_ids)):
                return [seen[job_id] for job_id in job_ids]
            if self._loop.stalled_by is not None:
                raise self._loop.stalled_by
            await self._desk.wait_for_change(_WAIT_LOOK_S)

    async def embed_missing(self) -> list[JobId]:
        """Queue the books that lack embeddings, where the model is there by now; return the jobs.

        Books that a job is at already are left out.

        Raises:
            StorageError: the library's database refuses.
            CancelledByReaderError: the runner is closed.
        """
        async with self._receiving:
            if self._closed:
                raise CancelledByReaderError("Postil is closing.")
            return await self._queue_missing_embeddings()

    async def _queue_missing_embeddings(self) -> list[JobId]:
        """Queue the books that were read without the model that the settings name."""
        queued: list[JobId] = []
        for book_id in await self._database.run(self._missing_embeddings):
            job = await self._desk.create("", book_id)
            self._loop.put(job)
            queued.append(job.id)
        return queued

    def _missing_embeddings(self) -> list[int]:
        at_work = {job.book_id for job in self._jobs.all(active_only=True)}
        return [book_id for book_id in self._embedding_stage.missing() if book_id not in at_work]

    async def _keep_beating(self) -> None:
        """Keep hold of jobs, and let go of those that others have ended."""
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                for job in await self._desk.beat():
                    await self._loop.let_go(job)
            except StorageError as error:
                log.warning("could not look after the jobs: %s", error)
            except Exception:
                log.exception("could not look after the jobs")


def _source_path(path: Path) -> str:
    """Return a path as a job keeps it: good after a change of folder, its bytes as they are."""
    return os.fspath(path.absolute())


def _log_failure(task: asyncio.Task[None]) -> None:
    """Say so when a task that should never end does."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the ingest runner stopped", exc_info=error)
