"""The ingest worker process as its parent sees it."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil

import core.errors
from core.errors import EmbeddingError, OversizedBookError, PostilError
from rag.ingest.limits import IngestLimits
from rag.ingest.messages import (
    EmbedPassages,
    Failed,
    LoadModel,
    Logged,
    ModelLoaded,
    ModelLoading,
    PassagesEmbedded,
    ReadBook,
    Reply,
    Request,
    TextEnded,
)
from rag.ingest.serial_thread import SerialThread
from rag.ingest.worker import run_worker

_POLL_S = 0.2
_LAST_REPLIES = (Failed, TextEnded, ModelLoaded, ModelLoading, PassagesEmbedded)

log = logging.getLogger(__name__)


class WorkerDiedError(Exception):
    """The worker process ended in the middle of its work; the next request starts a new one."""


class WorkerProcess:
    """Starts the worker at the first request, again when it has died, and holds it to its limits.

    A thread of its own sends, and waits for replies. Only one task may use it at a time; `kill` is
    for any.
    """

    def __init__(self, limits: IngestLimits) -> None:
        self._limits = limits
        self._thread = SerialThread("ingest-worker-pipe")
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._has_model = False
        self._answers_owed = 0

    async def read_book(
        self, path: Path, name: str, file_bytes: int
    ) -> AsyncGenerator[Reply, None]:
        """Yield the replies to `ReadBook`, `TextEnded` the last.

        Raises:
            BadBookError: the file cannot become a book, or was stopped at a limit.
            WorkerDiedError: the process ended.
        """
        await self._thread.run(self._begin)
        await self._thread.run(self._send, ReadBook(path, name))
        left_s = self._limits.reading_limit_s(file_bytes)
        while True:
            reply, waited_s = await self._thread.run(self._receive, left_s)
            left_s -= waited_s
            yield reply
            if isinstance(reply, TextEnded):
                return

    async def load_model(
        self, name: str, model_cache: Path, should_stop: Callable[[], bool]
    ) -> bool:
        """Load an embedding model, unless this process has one.

        Args:
            name: of the catalogue.
            model_cache: where it is, or is built.
            should_stop: asked now and then; the model goes on loading, and the process is free.

        Returns:
            Whether the model is there.

        Raises:
            EmbeddingError: it is missing or does not load, or not in time.
            WorkerDiedError: the process ended.
        """
        await self._thread.run(self._begin)
        deadline = time.monotonic() + self._limits.model_s
        while not self._has_model:
            if should_stop():
                return False
            if time.monotonic() > deadline:
                self.kill()
                raise EmbeddingError("The embedding model took too long to load.")
            await self._thread.run(self._send, LoadModel(name, model_cache))
            reply, _ = await self._thread.run(self._receive, self._limits.model_s)
            self._has_model = isinstance(reply, ModelLoaded)
        return True

    async def send_passages(self, texts: list[str]) -> None:
        """Ask for the vectors of some passages; more may be asked for before they are received.

        Raises:
            WorkerDiedError: the process ended.
        """
        await self._thread.run(self._send, EmbedPassages(texts))

    async def receive_vectors(self) -> bytes:
        """Return the vectors of the oldest passages sent, as `PassagesEmbedded.rows`.

        Raises:
            EmbeddingError: the model refused.
            OversizedBookError: the process was stopped at a limit.
            WorkerDiedError: the process ended.
        """
        reply, _ = await self._thread.run(self._receive, self._limits.embedding_s)
        if not isinstance(reply, PassagesEmbedded):
            raise self._broken(f"unexpected reply {type(reply).__name__}")
        return reply.rows

    def kill(self) -> None:
        """End the process at once; whoever waits for a reply gets WorkerDiedError."""
        process = self._process
        if process is not None:
            with suppress(ValueError):  # the thread has just reaped it
                process.kill()

    async def close(self) -> None:
        """End the process and the thread."""
        self.kill()
        await self._thread.run(self._forget)
        await self._thread.close()

    def _begin(self) -> None:
        """See to it that there is a process, and that no earlier answer stands in its pipe."""
        if self._answers_owed or self._process is None or not self._process.is_alive():
            self._forget()
            self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=run_worker,
            args=(theirs,),
            name="postil-ingest",
            daemon=True,
        )
        process.start()
        self._process = process  # only now: before it has started, `kill` could not end it
        theirs.close()  # so that the pipe ends when the process does
        self._connection = ours

    def _forget(self) -> None:
        """Reap a process that was killed or has died."""
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        self._has_model = False
        self._answers_owed = 0
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def _send(self, request: Request) -> None:
        if self._connection is None:
            raise WorkerDiedError("it was stopped")
        self._answers_owed += 1
        try:
            self._connection.send(request)
        except OSError as error:
            raise self._broken(str(error)) from error

    def _receive(self, limit_s: float) -> tuple[Reply, float]:
        """Wait for a reply; return it and the seconds waited.

        Raises:
            OversizedBookError: the process passed a limit and was killed.
            PostilError: it answered with `Failed`.
            WorkerDiedError: it ended.
        """
        began = time.monotonic()
        while True:
            reply = self._next_reply(began + limit_s)
            if isinstance(reply, Logged):
                logging.getLogger(reply.logger).log(reply.level, "%s", reply.message)
                continue
            if isinstance(reply, _LAST_REPLIES):
                self._answers_owed -= 1
            if isinstance(reply, Failed):
                raise _error(reply)
            return reply, time.monotonic() - began

    def _next_reply(self, deadline: float) -> Reply:
        if self._connection is None:
            raise WorkerDiedError("it was stopped")
        try:
            self._check_limits(deadline)  # a book that answers all the time has its limits too
            while not self._connection.poll(_POLL_S):
                self._check_limits(deadline)
            reply: Reply = self._connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._broken(type(error).__name__) from error
        return reply

    def _check_limits(self, deadline: float) -> None:
        assert self._process is not None
        if time.monotonic() > deadline:
            self._forget()
            raise OversizedBookError("Taking this book in lasted too long, so it was stopped.")
        try:
            resident_bytes = psutil.Process(self._process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            return  # the pipe's end tells
        if resident_bytes > self._limits.max_worker_bytes:
            self._forget()
            limit_mib = self._limits.max_worker_bytes // (1024 * 1024)
            raise OversizedBookError(
                f"Taking this book in needed over {limit_mib} MiB of memory, so it was stopped."
            )

    def _broken(self, reason: str) -> WorkerDiedError:
        process = self._process
        if process is not None:
            process.kill()
            process.join()
            reason = f"{reason}, exit code {process.exitcode}"
        self._forget()
        return WorkerDiedError(reason)


def _error(failed: Failed) -> PostilError:
    """Return the error that the worker met, of its own class."""
    kind = getattr(core.errors, failed.kind, PostilError)
    error: PostilError = kind(failed.message)
    return error
