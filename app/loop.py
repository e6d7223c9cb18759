"""The loop that runs both Qt and asyncio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import shiboken6
from PySide6.QtWidgets import QApplication

import qasync  # isort: skip  # takes the Qt binding that is there already

_DEFAULT_THREADS = 4


class WindowLoop(qasync.QEventLoop):  # type: ignore[misc]
    """qasync's loop, with threads of our own, that also closes forgotten asynchronous generators.

    asyncio's own loops do so; without it one that HTTP libraries leave half read would be torn down
    by the garbage collector, outside of any loop.
    """

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._closing: set[asyncio.Future[None]] = set()
        self.set_default_executor(
            ThreadPoolExecutor(_DEFAULT_THREADS, thread_name_prefix="postil-work")
        )

    def run_forever(self) -> object:
        """Run until stopped."""
        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=self._close_generator)
        try:
            return super().run_forever()
        finally:
            sys.set_asyncgen_hooks(*before)

    def close(self) -> None:
        """Close for good, with the timers of calls that were cancelled.

        Those still run in Qt; left to the garbage collector they could be ended by any thread.
        """
        if not self.is_closed():
            super().close()
            shiboken6.delete(self._timer)

    def _close_generator(self, generator: AsyncGenerator[Any, None]) -> None:
        """Close a generator that nobody holds any more; called wherever that is found out."""
        if not self.is_closed():
            self.call_soon_threadsafe(self._start_closing, generator)

    def _start_closing(self, generator: AsyncGenerator[Any, None]) -> None:
        closing = asyncio.ensure_future(generator.aclose(), loop=self)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
