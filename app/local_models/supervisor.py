"""Keeps at most one engine: starts it, switches models, ends it when idle, and after a crash anew.

The engine is a process of its own, so that ending it frees all its memory, on the graphics card
too, and so that nothing it does can take the window down.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.local_models.engine_process import EngineProcess
from app.local_models.store import LocalModel
from core.errors import EndpointServerError
from core.events import EventBus, LocalModelChanged, LocalModelState

log = logging.getLogger(__name__)

IDLE_S = 900.0
"""How long a model stays in memory after its last answer."""


class EngineSupervisor:
    """Gives questions an engine with the model they want. Used on one loop."""

    def __init__(self, events: EventBus, idle_s: float = IDLE_S) -> None:
        """Start nothing yet; `idle_s` is how long an engine may be without work."""
        self._events = events
        self._idle_s = idle_s
        self._engine: EngineProcess | None = None
        self._using = 0
        self._switching = asyncio.Lock()
        self._unloading: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self, model: LocalModel) -> AsyncIterator[EngineProcess]:
        """Have an engine with this model for the length of the block.

        Another model's engine ends first, with whatever it was answering.

        Raises:
            EndpointServerError: the model cannot be loaded, or the engine ended meanwhile.
        """
        self._stop_unloading()
        async with self._switching:
            engine = await self._started(model)
        self._using += 1
        try:
            await self._wait_until_ready(engine)
            yield engine
        finally:
            self._using -= 1
            if self._using == 0 and self._engine is not None:  # perhaps another model's by now
                self._unloading = asyncio.get_running_loop().call_later(self._idle_s, self._unload)

    async def close(self) -> None:
        """End the engine, if there is one, and wait until it is gone."""
        self._stop_unloading()
        async with self._switching:
            await self._end()
        if self._ending:
            await asyncio.gather(*self._ending)

    async def _wait_until_ready(self, engine: EngineProcess) -> None:
        try:
            await engine.endpoint()
        except EndpointServerError:
            self._tell(engine.model_name, LocalModelState.FAILED)
            async with self._switching:
                if self._engine is engine:
                    await self._end()
            raise
        self._tell(engine.model_name, LocalModelState.READY)

    async def _started(self, model: LocalModel) -> EngineProcess:
        engine = self._engine
        if engine is not None and engine.is_running and engine.model_name == model.name:
            return engine
        await self._end()
        self._tell(model.name, LocalModelState.LOADING)
        self._engine = EngineProcess(model.name, _arguments(model), model.context_tokens)
        return self._engine

    async def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.end()
            self._tell(engine.model_name, LocalModelState.UNLOADED)

    def _unload(self) -> None:
        if self._using == 0 and self._engine is not None:
            log.info("unloading %s: nothing was asked for a while", self._engine.model_name)
            task = asyncio.get_running_loop().create_task(self.close_idle())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close_idle(self) -> None:
        """End the engine unless something uses it again."""
        async with self._switching:
            if self._using == 0:
                await self._end()

    def _stop_unloading(self) -> None:
        if self._unloading is not None:
            self._unloading.cancel()
            self._unloading = None

    def _tell(self, name: str, state: LocalModelState) -> None:
        self._events.publish(LocalModelChanged(name, state))


def _arguments(model: LocalModel) -> list[str]:
    """Return the arguments of `postil serve` for a model."""
    return [
        str(model.path),
        *("--model-name", model.name),
        *("--max-model-len", str(model.context_tokens)),
        *("--quantize", "none" if _has_accelerator() else "int8"),
    ]


def _has_accelerator() -> bool:
    """Guess whether weights as stored are best: on a graphics card they are, on a processor int8.

    The engine finds the device; this process never loads torch to ask.
    """
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or shutil.which("nvidia-smi") is not None
