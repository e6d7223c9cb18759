"""Work that must not hold up the window: database access on threads, and tasks that are kept.

The loop runs the window, so nothing on it may take longer than 10 ms. Reads share two threads,
writes take turns on one, as the store's own writer does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from core.errors import PostilError

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_READERS = 2


class Background:
    """Runs blocking calls on threads of its own and keeps tasks alive until they end.

    Every task's failure reaches the reader: one that nobody awaits is handed to `report` as a
    sentence, with its traceback in the log unless the error was raised on purpose.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="postil-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="postil-write")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._exclusive: dict[str, asyncio.Task[Any]] = {}

    async def read(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `fn` on a reading thread."""
        return await _call(self._readers, fn, *args, **kwargs)

    async def write(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `fn` on the writing thread, after the writes before it."""
        return await _call(self._writer, fn, *args, **kwargs)

    def spawn(
        self, work: Coroutine[Any, Any, Any], *, replacing: str | None = None
    ) -> asyncio.Task[Any]:
        """Start a task; with `replacing`, the task last started under that name is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        if replacing is not None:
            self.cancel(replacing)
            self._exclusive[replacing] = task
        return task

    def cancel(self, name: str) -> None:
        """Cancel the task last started in the place of `name`, if it still runs."""
        task = self._exclusive.pop(name, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel what still runs, wait for it, and let the threads end."""
        while self._tasks:
            running = list(self._tasks)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for executor in (self._readers, self._writer):
            executor.shutdown(wait=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if isinstance(error, PostilError):
            self._report(str(error))
            return
        log.error("a background task failed", exc_info=error)
        self._report(f"Something went wrong inside Postil ({type(error).__name__}: {error}).")


async def _call(
    executor: ThreadPoolExecutor, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, lambda: fn(*args, **kwargs))
