"""From a checked request to an answer, whole or streamed; the same for both kinds of call."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference.outputs import OutputPiece, Usage
from inference.requests import GenerationRequest, SamplingParams
from inference.server.answers import Answers
from inference.server.api import Api
from inference.server.api_errors import as_api_error
from inference.server.schemas.common import usage_document
from inference.server.sse import DONE, KEEP_ALIVE, EventStream, event, unless_disconnected


@dataclass(frozen=True, slots=True)
class Reply:
    """What every document of one reply begins with.

    Attributes:
        id: of the reply.
        model: as the client calls it.
        created: seconds since 1970.
    """

    id: str
    model: str
    created: int

    @classmethod
    def new(cls, prefix: str, model: str) -> Reply:
        """Name a new reply."""
        return cls(f"{prefix}-{uuid.uuid4().hex}", model, int(time.time()))

    def document(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a document of the reply."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


class Writer(Protocol):
    """Puts the pieces of answers into the words of one kind of call.

    Made for one reply; keeps what it needs of each choice between its pieces.
    """

    whole_kind: str
    chunk_kind: str

    def opening(self) -> list[dict[str, Any]]:
        """Return the choices of the events that begin a stream, one event each."""

    def chunks(self, piece: OutputPiece) -> list[dict[str, Any]]:
        """Return the choices that a piece adds to a stream, one event each."""

    def add(self, piece: OutputPiece) -> None:
        """Take a piece of a reply that goes out whole."""

    def choices(self) -> list[dict[str, Any]]:
        """Return the choices of a whole reply."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that the engine has taken.

    Attributes:
        writer: words its answers.
        answers: brings them.
        per_prompt: answers to each prompt.
    """

    writer: Writer
    answers: Answers
    per_prompt: int


def requests_for(
    reply: Reply, prompts: Sequence[Sequence[int]], params: SamplingParams, per_prompt: int
) -> list[GenerationRequest]:
    """Return one request for each answer to each prompt, in the order of their choices."""
    return [
        GenerationRequest(f"{reply.id}-{index}-{answer}", tuple(prompt), params, answer)
        for index, prompt in enumerate(prompts)
        for answer in range(per_prompt)
    ]


async def respond(
    api: Api,
    request: Request,
    reply: Reply,
    prepare: Callable[[Answers], Prepared],
    *,
    stream: bool,
    include_usage: bool,
) -> Response:
    """Answer a request.

    Args:
        api: what calls stand on.
        request: whose body was read.
        reply: what its documents begin with.
        prepare: renders, tokenises and submits; runs on a thread, for it takes as long as the
            prompt is long.
        stream: whether pieces go out as they come.
        include_usage: whether a stream ends with its usage.

    Raises:
        ApiError, EngineError: the request was refused, or failed.
        ClientDisconnect: the client left; the engine has dropped the request.
    """
    answers = api.service.answers()
    try:
        prepared = await unless_disconnected(request.receive, asyncio.to_thread(prepare, answers))
        if not stream:
            collecting = _whole(prepared, reply)
            return JSONResponse(await unless_disconnected(request.receive, collecting))
    except BaseException:
        answers.cancel()
        raise
    events = _events(prepared, reply, include_usage, api.settings.keep_alive_s)
    return EventStream(events, answers.cancel)


async def _whole(prepared: Prepared, reply: Reply) -> dict[str, Any]:
    usages: dict[int, Usage] = {}
    async for piece in _pieces(prepared.answers):
        if piece.error is not None:
            raise piece.error
        prepared.writer.add(piece)
        if piece.usage is not None:
            usages[piece.choice] = piece.usage
    document = reply.document(prepared.writer.whole_kind, prepared.writer.choices())
    document["usage"] = _total(usages, prepared.per_prompt)
    return document


async def _pieces(answers: Answers) -> AsyncGenerator[OutputPiece, None]:
    while not answers.finished:
        for piece in await answers.pieces():
            yield piece


async def _events(
    prepared: Prepared, reply: Reply, include_usage: bool, keep_alive_s: float
) -> AsyncGenerator[bytes, None]:
    writer, answers = prepared.writer, prepared.answers

    def made(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        document = reply.document(writer.chunk_kind, choices)
        if include_usage:
            document["usage"] = usage
        return event(document)

    usages: dict[int, Usage] = {}
    events = [made([choice]) for choice in writer.opening()]
    while True:
        if events:
            yield b"".join(events)
        if answers.finished:
            break
        events = []
        arrived = await answers.pieces(keep_alive_s)
        if not arrived:
            yield KEEP_ALIVE
        for piece in arrived:
            if piece.error is not None:
                yield b"".join(events) + event(as_api_error(piece.error).document()) + DONE
                return
            events += [made([choice]) for choice in writer.chunks(piece)]
            if piece.usage is not None:
                usages[piece.choice] = piece.usage
    last = made([], _total(usages, prepared.per_prompt)) if include_usage else b""
    yield last + DONE


def _total(usages: dict[int, Usage], per_prompt: int) -> dict[str, Any]:
    answers = [usages[choice] for choice in sorted(usages)]
    return usage_document(answers[::per_prompt], answers)
