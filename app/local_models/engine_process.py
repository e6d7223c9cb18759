"""One engine process: starting it, hearing of it, and ending it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

from core.endpoints import Endpoint
from core.errors import EndpointServerError
from core.logs import hide, redact

log = logging.getLogger(__name__)

_END_WITHIN_S = 1.5
_LAST_WORDS = 40
"""Lines of its standard error that are kept, to tell why it ended."""
# On Windows a program without a console would open one for the process that it starts.
_NO_CONSOLE: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class EngineProcess:
    """Serves one model on a free port of this very machine, under a key that nobody else has.

    Made, awaited and ended on one loop; two threads of its own read what the process prints.

    Attributes:
        model_name: what the model is called.
        api_key: opens the server.
    """

    def __init__(self, model_name: str, arguments: Sequence[str], context_tokens: int) -> None:
        """Start the process.

        Args:
            model_name: what the model is called.
            arguments: of `postil serve`, the model's folder first.
            context_tokens: how many tokens it is to take.
        """
        self.model_name = model_name
        self.api_key = secrets.token_urlsafe(32)
        hide(self.api_key)
        self._context_tokens = context_tokens
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[str] = self._loop.create_future()
        self._url = ""
        self._last_words: list[str] = []
        self._on_end: Callable[[], None] | None = None
        command = [sys.executable, "-m", "app.local_models.child", "serve", *arguments]
        self._process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "POSTIL_API_KEY": self.api_key},
            creationflags=_NO_CONSOLE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._errors = _reading(self._process.stderr, self._keep_words, lambda: None)
        self._events = _reading(self._process.stdout, self._hear, self._ended)

    @property
    def is_running(self) -> bool:
        """Say whether the process is there and has not failed to load its model."""
        failed = self._ready.done() and (
            self._ready.cancelled() or self._ready.exception() is not None
        )
        return self._process.poll() is None and not failed

    async def endpoint(self) -> Endpoint:
        """Wait until the model is loaded, and return where it answers.

        Raises:
            EndpointServerError: it cannot be loaded, or the process ended.
        """
        url = await asyncio.shield(self._ready)
        return Endpoint(
            f"local:{self.model_name}", f"{url}/v1", self.model_name, self._context_tokens
        )

    async def end(self) -> None:
        """End the process and wait until it is gone: at once, whatever it is doing."""
        await asyncio.to_thread(self._end)
        if not self._ready.done():
            self._ready.set_exception(EndpointServerError("The engine was closed."))
        if not self._ready.cancelled():
            self._ready.exception()  # nobody may be waiting for it any more

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends when its standard input does
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in (self._events, self._errors):
            reader.join(_END_WITHIN_S)  # a process that it started may hold its output open

    def _hear(self, line: str) -> None:
        """Take a line of its standard output; on a thread."""
        try:
            event: Any = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict):
            self._call(self._happened, event)

    def _happened(self, event: dict[str, Any]) -> None:
        if self._ready.done():
            return
        if event.get("event") == "listening":
            self._url = str(event["url"]).rstrip("/")
        elif event.get("event") == "ready":
            self._ready.set_result(self._url)
        elif event.get("event") == "failed":
            self._ready.set_exception(
                EndpointServerError(f"The model “{self.model_name}” cannot run: {event['reason']}")
            )

    def _ended(self) -> None:
        """Take note that it closed its standard output; on a thread."""
        self._errors.join(_END_WITHIN_S)  # its last words say why
        self._call(self._fail_if_waiting)

    def _fail_if_waiting(self) -> None:
        if self._ready.done():
            return
        why = redact(" ".join(self._last_words[-3:])).strip() or "it gave no reason"
        log.info("engine ended: %s", redact("\n".join(self._last_words)))
        self._ready.set_exception(
            EndpointServerError(
                f"The engine for “{self.model_name}” ended before it was ready: {why}"
            )
        )

    def _keep_words(self, line: str) -> None:
        self._last_words.append(line.rstrip())
        del self._last_words[:-_LAST_WORDS]

    def _call(self, fn: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
        try:
            self._loop.call_soon_threadsafe(fn, *arguments)
        except RuntimeError:
            log.debug("the loop is closed; nobody waits for the engine any more")


def _reading(
    stream: IO[bytes], take: Callable[[str], None], at_end: Callable[[], None]
) -> threading.Thread:
    def read() -> None:
        with stream:
            for line in stream:
                take(line.decode("utf-8", "replace"))
        at_end()

    thread = threading.Thread(target=read, name="postil-engine-output", daemon=True)
    thread.start()
    return thread
