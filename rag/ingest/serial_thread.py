"""A thread that takes calls from the loop, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class SerialThread:
    """One named thread of our own; calls run in the order in which they were asked for.

    It starts with the first call. A call that has begun runs to its end even when the task that
    waits for it is cancelled.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, name)

    async def run(
        self,
        function: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Call a function on the thread and return what it returns."""
        future = self._executor.submit(partial(function, *args, **kwargs))
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Wait for all calls, and end the thread."""
        await self.run(_nothing)
        self._executor.shutdown()


def _nothing() -> None:
    """Tell, by its end, that all earlier calls have ended."""
