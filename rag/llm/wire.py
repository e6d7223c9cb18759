"""Reads what an OpenAI-compatible endpoint sends, trusting none of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from rag.llm.failures import Failures, error_of
from rag.ports import ChatDelta

MAX_REPLY_BYTES = 16 * 2**20
"""A reply may hold this much; a whole book's answer with its framing stays far below."""


class OversizedReplyError(Exception):
    """A reply is longer than MAX_REPLY_BYTES."""


class BoundedStream(httpx.AsyncByteStream):
    """A response's bytes, up to MAX_REPLY_BYTES."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for piece in self._stream:
            received += len(piece)
            if received > MAX_REPLY_BYTES:
                raise OversizedReplyError
            yield piece

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


def bound(response: httpx.Response, failures: Failures) -> None:
    """Limit what may be read of a response.

    Raises:
        EndpointProtocolError: it is compressed, though that was not asked for: a small reply could
            then unpack to any size.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise failures.not_the_api("a compressed reply, which was not asked for")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = BoundedStream(response.stream)
    response.encoding = "utf-8"  # JSON and server-sent events are UTF-8, whatever a header says


class _Piece(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(BaseModel):
    delta: _Piece | None = None
    message: _Piece | None = None
    finish_reason: str | None = None


class _Reply(BaseModel):
    choices: list[_Choice]


class _Model(BaseModel):
    id: str


class _ModelList(BaseModel):
    data: list[_Model]


def parse_json(body: bytes | str, failures: Failures) -> JsonValue:
    """Parse a JSON document.

    Raises:
        EndpointProtocolError: it is a web page, or no JSON.
    """
    try:
        document: JsonValue = json.loads(body)
    except (ValueError, RecursionError) as error:
        head = body[:200].decode("utf-8", "replace") if isinstance(body, bytes) else body[:200]
        if head.lstrip().lower().startswith(("<!doctype", "<html", "<head", "<?xml")):
            raise failures.web_page() from error
        raise failures.not_the_api("something that is not JSON") from error
    return document


def delta_of(document: JsonValue, failures: Failures) -> ChatDelta | None:
    """Read one event of a stream, or a whole reply; None where it holds no piece of the answer.

    Raises:
        EndpointError: it reports an error, or is not what the API promises.
    """
    if reported := error_of(document):
        raise failures.of_reply(reported)
    try:
        reply = _Reply.model_validate(document)
    except ValidationError as error:
        raise failures.not_the_api("a reply that is not the API's") from error
    if not reply.choices:
        return None  # usage figures, or a content filter's notes on the prompt
    choice = reply.choices[0]
    piece = choice.delta or choice.message or _Piece()
    return ChatDelta(
        text=_sound(piece.content or ""),
        reasoning=_sound(piece.reasoning_content or piece.reasoning or ""),
        finish_reason=choice.finish_reason,
    )


def model_names(document: JsonValue, failures: Failures) -> list[str]:
    """Read the reply of `/models`.

    Raises:
        EndpointError: it reports an error, or is not what the API promises.
    """
    if reported := error_of(document):
        raise failures.of_reply(reported)
    try:
        return [model.id for model in _ModelList.model_validate(document).data]
    except ValidationError as error:
        raise failures.not_the_api("something that is no list of models") from error


def _sound(text: str) -> str:
    """Replace lone surrogates, which JSON can smuggle in and no file or screen takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
