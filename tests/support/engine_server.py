"""The engine's server in this process, listening on loopback: real sockets, the real engine.

with engine_server(folder) as server:
    client = server.client()
    client.chat.completions.create(model=server.model, messages=[...])
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from openai import AsyncOpenAI, OpenAI

from inference.engine import Engine
from inference.server.app import create_app
from inference.server.running import Server, listen, url_of
from inference.server.service import EngineService, Load
from inference.server.settings import ServerSettings

WAIT_S = 60.0


@dataclass(frozen=True)
class RunningServer:
    """A server as a test sees it.

    Attributes:
        url: where it listens.
        model: the name it shows.
        service: holds the engine.
        key: what it asks for; "" where it asks for none.
        stop: tells it to stop, as a signal would, and returns at once.
    """

    url: str
    model: str
    service: EngineService
    key: str
    stop: Callable[[], None]
    _http: httpx.Client

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.service.engine()

    def client(self, **options: Any) -> OpenAI:
        """OpenAI's own client; it does not try again by itself. It is closed with the server."""
        options = {"api_key": self.key or "none", "max_retries": 0, "timeout": WAIT_S} | options
        return OpenAI(base_url=f"{self.url}/v1", http_client=self._http, **options)

    def async_client(self, **options: Any) -> AsyncOpenAI:
        """The same for coroutines; to be closed by the test."""
        options = {"api_key": self.key or "none", "max_retries": 0, "timeout": WAIT_S} | options
        return AsyncOpenAI(base_url=f"{self.url}/v1", **options)

    @property
    def http(self) -> httpx.Client:
        """A plain HTTP client, with the key."""
        return self._http

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, "it did not come true"
            time.sleep(0.005)

    def wait_idle(self) -> None:
        """Wait until the engine has nothing to do."""
        self.wait_until(lambda: _is_idle(self.engine))


def _is_idle(engine: Engine) -> bool:
    stats = engine.stats()
    return stats.running == 0 and stats.waiting == 0


def free_blocks(engine: Engine) -> int:
    """Blocks that a new request could have."""
    stats = engine.stats()
    return stats.blocks_free + stats.blocks_cached


@contextmanager
def engine_server(
    folder: Path,
    settings: ServerSettings | None = None,
    *,
    wait: bool = True,
    load: Load | None = None,
    **engine_options: Any,
) -> Iterator[RunningServer]:
    """Serve a model folder until the block ends.

    Args:
        folder: the model's.
        settings: of the server.
        wait: for the model to be loaded.
        load: makes the engine; None: from the folder, with the options.
        engine_options: for `Engine.from_pretrained`.
    """
    settings = settings or ServerSettings()
    if load is None:
        engine_options = {"device": "cpu", "kv_cache_bytes": 16 << 20} | engine_options

        def load(report: Callable[[str, float], None]) -> Engine:
            return Engine.from_pretrained(folder, on_progress=report, **engine_options)

    app = create_app(load, settings, model_name=folder.name)
    listener = listen("127.0.0.1", 0)
    listening = threading.Event()
    loop = asyncio.new_event_loop()
    server: list[Server] = []

    async def serve() -> None:
        server.append(Server(app, grace_s=settings.grace_s, on_listening=listening.set))
        await server[0].serve(sockets=[listener])

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    url = url_of(listener, "127.0.0.1")
    key = settings.api_keys[0] if settings.api_keys else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    http = httpx.Client(base_url=url, headers=headers, timeout=WAIT_S)
    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        assert listening.wait(WAIT_S)
        running = RunningServer(
            url,
            (settings.model_names or (folder.name,))[0],
            app.state.service,
            key,
            lambda: server[0].handle_exit(0, None),
            http,
        )
        if wait:
            running.wait_until(lambda: running.service.state.status != "loading")
        yield running
    finally:
        http.close()
        if server:
            with suppress(RuntimeError):  # its loop has ended already
                server[0].handle_exit(0, None)
                server[0].handle_exit(0, None)
        thread.join()
