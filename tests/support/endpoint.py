"""A scripted OpenAI-compatible server on loopback: it stands for someone else's model server.

It speaks real HTTP from its own thread, so that asyncio code, blocking code and other processes
can all talk to it:

    with scripted_endpoint() as server:
        server.script(stream("Call me ", "Ishmael."))
        ...  # ask server.url
        assert server.requests[0].body["model"] == "whale-1b"
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

MODEL = "whale-1b"
KEY = "sk-test-0123456789abcdef"

Script = list["Step"]


@dataclass(frozen=True)
class Step:
    """Some bytes of a reply, sent after a pause."""

    data: bytes
    delay_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """What a client sent. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedEndpoint:
    """The server as a test sees it.

    Attributes:
        port: where it listens on 127.0.0.1.
        requests: what came, oldest first.
        asked: set when a request has come.
        hung_up: set when a client left before its reply was sent whole.
    """

    port: int
    requests: list[Request] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)
    _scripts: list[Callable[[Request], Script]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *scripts: Script | Callable[[Request], Script]) -> None:
        """Set the replies to come, in order; the last one answers all requests after it too."""
        self._scripts = [_constant(s) if isinstance(s, list) else s for s in scripts]

    def reply_to(self, request: Request) -> Script:
        """Return the reply to a request, and note the request."""
        self.requests.append(request)
        self.asked.set()
        if request.path == "/v1/models" and request.method == "GET" and not self._scripts:
            return models(MODEL)
        if not self._scripts:
            return error(404, {"error": {"message": "nothing scripted"}})
        make = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        return make(request)


def _constant(script: Script) -> Callable[[Request], Script]:
    return lambda _: script


@contextmanager
def scripted_endpoint() -> Iterator[ScriptedEndpoint]:
    """Run a server until the block ends."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    endpoint = ScriptedEndpoint(port=0)

    async def serve() -> None:
        server = await asyncio.start_server(
            lambda reader, writer: _handle(endpoint, reader, writer), "127.0.0.1", 0
        )
        endpoint.port = server.sockets[0].getsockname()[1]
        started.set()
        await stopped.wait()
        server.close()
        handlers = asyncio.all_tasks() - {asyncio.current_task()}
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="endpoint")
    thread.start()
    started.wait()
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()


async def _handle(
    endpoint: ScriptedEndpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    watch: asyncio.Future[bytes] | None = None
    try:
        request = await _read_request(reader)
        watch = asyncio.ensure_future(reader.read(1))  # done when the client has left
        for step in endpoint.reply_to(request):
            if step.delay_s:
                await asyncio.wait([watch], timeout=step.delay_s)
            if watch.done():
                endpoint.hung_up.set()
                return
            writer.write(step.data)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        endpoint.hung_up.set()
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(body) if body else None)


# Replies. Each closes its connection at the end, so a body without a length ends there.


def head(status: int, content_type: str, **headers: str) -> Step:
    """The beginning of a reply."""
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    text = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nConnection: close\r\n{extra}\r\n"
    )
    return Step(text.encode())


def chunk(content: str = "", finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """One event of a stream, as a document."""
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def event(document: Any) -> bytes:
    """One event of a stream, as bytes."""
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def stream(
    *pieces: str | dict[str, Any],
    finish_reason: str | None = "stop",
    done: bool = True,
    delay_s: float = 0.0,
) -> Script:
    """A streamed answer: pieces of its text, or whole events as documents."""
    documents = [chunk(piece) if isinstance(piece, str) else piece for piece in pieces]
    steps = [Step(event(document), delay_s) for document in documents]
    if finish_reason:
        steps.append(Step(event(chunk(finish_reason=finish_reason))))
    if done:
        steps.append(Step(b"data: [DONE]\n\n"))
    return raw_stream(*steps)


def raw_stream(*steps: Step | bytes) -> Script:
    """A reply of media type text/event-stream with exactly these bytes."""
    return [
        head(200, "text/event-stream"),
        *(step if isinstance(step, Step) else Step(step) for step in steps),
    ]


def cut_stream(*pieces: str) -> Script:
    """A stream in HTTP chunks whose connection breaks in the middle of one."""
    steps = [head(200, "text/event-stream", Transfer_Encoding="chunked")]
    events = [event(chunk(piece)) for piece in pieces]
    steps += [Step(f"{len(data):x}\r\n".encode() + data + b"\r\n") for data in events]
    return [*steps, Step(b"ff\r\ndata: {")]


def document(body: Any, status: int = 200, **headers: str) -> Script:
    """A JSON reply."""
    return [head(status, "application/json", **headers), Step(json.dumps(body).encode())]


def error(status: int, body: Any, **headers: str) -> Script:
    """A JSON error."""
    return document(body, status, **headers)


def page(text: str = "<!DOCTYPE html><html><body>Welcome</body></html>") -> Script:
    """A web page with status 200."""
    return [head(200, "text/html"), Step(text.encode())]


def completion(content: str) -> Script:
    """A whole answer, not streamed."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return document({"id": "c1", "object": "chat.completion", "choices": [choice]})


def models(*names: str) -> Script:
    """The list of models."""
    return document({"object": "list", "data": [{"id": name} for name in names]})


def overflow_errors() -> Sequence[tuple[str, Script]]:
    """How servers say that a prompt is too long, by server."""
    openai = (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9001 tokens. Please reduce the length of the messages."
    )
    llama_cpp = (
        "the request exceeds the available context size. try increasing the context size or "
        "enable context shift"
    )
    vllm = (
        "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens "
        "(2400 in the messages, 100 in the completion)."
    )
    return [
        (
            "openai",
            error(400, {"error": {"message": openai, "code": "context_length_exceeded"}}),
        ),
        (
            "llama.cpp",
            error(
                400,
                {"error": {"code": 400, "message": llama_cpp, "type": "exceed_context_size_error"}},
            ),
        ),
        ("vllm", error(400, {"object": "error", "message": vllm, "code": 400})),
        ("ollama", error(400, {"error": "input length exceeds maximum context length"})),
    ]
