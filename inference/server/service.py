"""The engine as the server holds it: loading, ready or failed, and its end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inference.errors import EngineError
from inference.server.answers import Answers, Mailbox
from inference.server.api_errors import failed_to_load, shutting_down, still_loading
from inference.server.metrics import Metrics

if TYPE_CHECKING:
    from inference.engine import Engine

log = logging.getLogger(__name__)

Status = Literal["loading", "ready", "failed"]
ReportProgress = Callable[[str, float], None]
Load = Callable[[ReportProgress], "Engine"]


LOAD_STOP_S = 5.0
"""How long to wait for loading to notice that it is not wanted any more."""


class LoadAbandonedError(EngineError):
    """The server was stopped while the model was loading."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the engine is.

    Attributes:
        status: as `/health` tells it.
        reason: why it failed.
        stage: what loading does just now.
        share: how much of that is done, 0 to 1.
        load_s: how long loading took, once it is ready.
    """

    status: Status = "loading"
    reason: str | None = None
    stage: str = "starting"
    share: float = 0.0
    load_s: float = 0.0


class EngineService:
    """Loads the engine on a thread of its own, hands it out, and closes it.

    Attributes:
        state: how far it is; replaced as a whole.
        metrics: what is counted.
    """

    def __init__(self, load: Load, on_change: Callable[[State], None] | None = None) -> None:
        """Make the service; nothing is loaded before `start`.

        Args:
            load: makes the engine; gets a function to tell its progress with.
            on_change: told of "ready" and "failed", on the loading thread.
        """
        self._load = load
        self._on_change = on_change
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._mailbox: Mailbox | None = None
        self._stopping = False
        self._started_at = time.monotonic()
        self.state = State()
        self.metrics = Metrics(lambda: self._engine)

    @property
    def uptime_s(self) -> float:
        """Seconds since the service was made."""
        return time.monotonic() - self._started_at

    @property
    def loaded(self) -> Engine | None:
        """The engine, or None where there is none (yet)."""
        return self._engine

    def engine(self) -> Engine:
        """Return the engine.

        Raises:
            ApiError: 503; it is loading, has failed, or is being closed.
        """
        if self._stopping:
            raise shutting_down()
        if self.state.status == "failed":
            raise failed_to_load(self.state.reason or "")
        if self._engine is None:
            raise still_loading()
        return self._engine

    def answers(self) -> Answers:
        """Return what carries the answers to one request of the running loop."""
        engine = self.engine()
        assert self._mailbox is not None
        return Answers(engine, self._mailbox, self.metrics.observe_end)

    @property
    def is_loading(self) -> bool:
        """Whether the loading thread still runs; after `stop`: it did not heed it."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to load; called on the loop."""
        self._mailbox = Mailbox(asyncio.get_running_loop())
        self._thread = threading.Thread(target=self._run_load, name="load model", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End loading, or close the engine: open requests end with an error."""
        self._stopping = True
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LOAD_STOP_S)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)

    def _run_load(self) -> None:
        began = time.monotonic()
        try:
            engine = self._load(self._report)
        except LoadAbandonedError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, /health tells it
            self._fail(error)
            return
        self._engine = engine
        self._change(State("ready", stage="ready", share=1.0, load_s=time.monotonic() - began))

    def _report(self, stage: str, share: float) -> None:
        if self._stopping:
            raise LoadAbandonedError("The server was stopped while the model was loading.")
        self.state = State(stage=stage, share=min(max(share, 0.0), 1.0))

    def _fail(self, error: Exception) -> None:
        if isinstance(error, EngineError):
            log.info("loading failed: %s", error)
            reason = str(error)
        else:
            log.error("loading failed unexpectedly", exc_info=error)
            reason = f"{type(error).__name__}: {error}"
        self._change(State("failed", reason=reason))

    def _change(self, state: State) -> None:
        self.state = state
        if self._on_change is not None:
            self._on_change(state)
