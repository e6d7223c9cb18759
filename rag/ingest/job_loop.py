"""Works on jobs, one after the other: reads all that wait, then embeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TypeVar

from core.books import BookId, BookStatus
from core.errors import DamagedBookError, EmbeddingError, NotFoundError, PostilError, StorageError
from core.events import (
    BookChanged,
    BookEmbedded,
    BookTextStored,
    EventBus,
    IngestIdle,
    IngestStalled,
)
from core.jobs import IngestJob, JobState
from core.ports import BookStore
from rag.ingest.embedding_stage import EmbeddingStage
from rag.ingest.job_desk import JobDesk, JobOverError
from rag.ingest.limits import IngestLimits
from rag.ingest.reception import Reception
from rag.ingest.serial_thread import SerialThread
from rag.ingest.text_stage import TextStage
from rag.ingest.worker_process import WorkerDiedError, WorkerProcess

_Result = TypeVar("_Result")
_IDLE_LOOK_S = 5.0

log = logging.getLogger(__name__)


class JobLoop:
    """Takes jobs through their stages until it is stopped.

    Reading comes before embedding, also in the midst of a book: words find a book within seconds
    of its being dropped. The stage under way is a task of its own, so that it can be broken off.
    """

    def __init__(
        self,
        books: BookStore,
        events: EventBus,
        desk: JobDesk,
        reception: Reception,
        text_stage: TextStage,
        embedding_stage: EmbeddingStage,
        database: SerialThread,
        worker: WorkerProcess,
        limits: IngestLimits,
    ) -> None:
        self._books = books
        self._events = events
        self._desk = desk
        self._reception = reception
        self._text_stage = text_stage
        self._embedding_stage = embedding_stage
        self._database = database
        self._worker = worker
        self._limits = limits
        self._to_read: list[IngestJob] = []
        self._to_embed: list[IngestJob] = []
        self._under_way: IngestJob | None = None
        self._stage: asyncio.Task[object] | None = None
        self._woken = asyncio.Event()
        self._stopped = False
        self._refusals = 0
        self._refusal: PostilError | None = None

    def put(self, job: IngestJob) -> None:
        """Take up a held job that has its book."""
        self._to_read.append(job)
        self.wake()

    def wake(self) -> None:
        """Look again for jobs to read."""
        self._woken.set()

    @property
    def stalled_by(self) -> PostilError | None:
        """Why nothing goes on, once this was so several times in a row; else None."""
        return self._refusal if self._refusals >= self._limits.max_refusals else None

    def stop(self) -> None:
        """Break off the stage under way, and let `run` return."""
        self._stopped = True
        self._break_off()
        self.wake()

    async def let_go(self, job: IngestJob) -> None:
        """Stop working on a job that is no longer ours, and clear away after a cancelled one."""
        self._to_read = [other for other in self._to_read if other.id != job.id]
        self._to_embed = [other for other in self._to_embed if other.id != job.id]
        if self._under_way is not None and self._under_way.id == job.id:
            self._break_off()
        await self._reception.dismiss(job)

    def _break_off(self) -> None:
        if self._stage is not None and self._stage.cancel():
            self._worker.kill()  # it may be deep in a file, and owes replies that nobody awaits

    async def run(self) -> None:
        """Work until stopped."""
        was_busy = False
        while not self._stopped:
            self._woken.clear()
            try:
                is_busy = await self._turn()
            except StorageError as refusal:
                self._refused(refusal)
                await self._sleep(self._limits.retry_s)
                continue
            except Exception as error:
                log.exception("the queue met an unexpected error")
                self._refused(_unexpected(error))
                await self._sleep(self._limits.retry_s)
                continue
            self._refusals, self._refusal = 0, None
            if not is_busy:
                if was_busy:
                    self._events.publish(IngestIdle())
                await self._sleep(_IDLE_LOOK_S)
            was_busy = is_busy

    def _refused(self, refusal: PostilError) -> None:
        if self._refusal is None:
            log.error("nothing goes on; trying again and again", exc_info=refusal)
            self._events.publish(IngestStalled(str(refusal)))
        self._refusals, self._refusal = self._refusals + 1, refusal

    async def _sleep(self, limit_s: float) -> None:
        """Wait to be woken; other processes may leave jobs too, so look from time to time."""
        try:
            await asyncio.wait_for(self._woken.wait(), limit_s)
        except TimeoutError:
            return

    async def _turn(self) -> bool:
        """Do one thing; say whether there was any."""
        if job := self._first(self._to_read):
            self._to_read.remove(job)
            await self._step(job, self._take_up if job.book_id is None else self._read)
        elif job := await self._desk.claim():
            await self._step(job, self._take_up)
        elif job := self._first(self._to_embed):
            self._to_embed.remove(job)
            await self._step(job, self._embed)
        else:
            return False
        return True

    def _first(self, jobs: list[IngestJob]) -> IngestJob | None:
        """Return the first job that is not paused; those that no reader waits for come last."""
        ready = [job for job in jobs if not self._desk.is_paused(job.id)]
        return min(ready, key=lambda job: (not job.source_path, job.id), default=None)

    async def _step(self, job: IngestJob, step: Callable[[IngestJob], Awaitable[None]]) -> None:
        """Take one step with a job; an error is the end of it."""
        try:
            await step(job)
        except JobOverError as over:
            await self.let_go(over.job)
        except PostilError as error:
            await self._fail(job, error)
        except Exception as error:
            log.exception("job %d met an unexpected error", job.id)
            await self._fail(job, _unexpected(error))

    async def _take_up(self, job: IngestJob) -> None:
        """Go on with a job that another process left."""
        if job.book_id is not None:
            self._to_read.append(job)
            return
        received = await self._reception.receive(job)
        if received.job is not None:
            self._to_read.append(received.job)

    async def _read(self, job: IngestJob) -> None:
        """Store the text of a job's book, where that is not done yet."""
        assert job.book_id is not None
        book = await self._database.run(self._books.get, job.book_id)
        if not book.status.has_text:
            await self._desk.enter(job.id, JobState.PARSING)
            await self._set_status(book.id, BookStatus.PARSING)
            on_reply = partial(self._desk.keep, job.id)
            on_parsed = partial(self._desk.enter, job.id, JobState.CHUNKING)
            characters = await self._attempt(
                job, lambda: self._text_stage.run(book, on_reply, on_parsed)
            )
            if characters is None:
                return
            self._events.publish(BookTextStored(book.id))
            await self._desk.expect(job.id, characters)
        self._to_embed.append(await self._desk.enter(job.id, JobState.EMBEDDING))

    async def _embed(self, job: IngestJob) -> None:
        """Embed a job's book, or as much of it as can be done before something else has to be."""
        book_id = job.book_id
        assert book_id is not None

        def should_stop() -> bool:
            return self._stopped or self._woken.is_set() or self._desk.is_paused(job.id)

        hold = self._desk.hold_on(job.id)
        on_progress = partial(self._desk.advance, job)
        self._desk.stop_clock()
        try:
            is_done = await self._attempt(
                job, lambda: self._embedding_stage.run(book_id, hold, should_stop, on_progress)
            )
        except EmbeddingError as error:
            # Words find the book; it is embedded at a later start, when the model is there.
            await self._desk.enter(job.id, JobState.DONE, error)
            return
        if is_done:
            self._events.publish(BookEmbedded(book_id))
            await self._desk.enter(job.id, JobState.DONE)
        elif is_done is not None:
            self._to_embed.append(job)

    async def _attempt(
        self, job: IngestJob, stage: Callable[[], Coroutine[None, None, _Result]]
    ) -> _Result | None:
        """Run a stage, again where the worker dies at it; None where it was broken off."""
        for attempt in range(1, self._limits.max_attempts + 1):
            task = asyncio.create_task(stage())
            self._under_way, self._stage = job, task
            await asyncio.wait({task})
            self._under_way = self._stage = None
            if task.cancelled():
                return None
            try:
                return task.result()
            except WorkerDiedError as death:
                log.warning("the worker died at job %d, time %d: %s", job.id, attempt, death)
        raise DamagedBookError(
            f"The process that reads books ended {self._limits.max_attempts} times at this one, so "
            "it was given up."
        )

    async def _fail(self, job: IngestJob, error: PostilError) -> None:
        """End a job and its book with an error, if they are still ours."""
        try:
            await self._desk.keep(job.id)
            if job.book_id is not None:
                await self._set_status(job.book_id, BookStatus.FAILED, str(error))
            await self._desk.fail(job.id, error)
        except JobOverError as over:
            await self.let_go(over.job)
        except Exception:
            self._to_read.append(job)  # not even that could be kept: to be tried again
            raise

    async def _set_status(
        self, book_id: BookId, status: BookStatus, error: str | None = None
    ) -> None:
        if await self._database.run(self._mark, book_id, status, error):
            self._events.publish(BookChanged(book_id))

    def _mark(self, book_id: BookId, status: BookStatus, error: str | None) -> bool:
        """Set the status of a book that has no text; one that has keeps it. Say whether it was."""
        try:
            if self._books.get(book_id).status.has_text:
                return False
            self._books.set_status(book_id, status, error)
        except NotFoundError:
            return False
        return True


def _unexpected(error: Exception) -> PostilError:
    return PostilError(f"Something went wrong in Postil itself ({type(error).__name__}).")
