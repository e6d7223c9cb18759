"""The client of an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import httpx
from httpx_sse import EventSource, ServerSentEvent

from core.endpoints import Endpoint
from core.errors import EndpointError, EndpointModelError
from rag.llm.connection import Connection
from rag.llm.parameters import Adaptation, Payload, adaptation_for
from rag.llm.reasoning import ThinkingSplitter
from rag.llm.wire import delta_of, model_names, parse_json
from rag.ports import ChatDelta, ChatMessage

FIRST_TOKEN_TIMEOUT_S = 300.0
"""A local model may load for minutes, and then read the whole prompt, before its first word."""
NEXT_TOKEN_TIMEOUT_S = 60.0
WHOLE_REPLY_TIMEOUT_S = 30.0
"""For replies that are not answers: the list of models, and errors."""

TEST_PROMPT = "Reply with the single word: ready"
TEST_MAX_TOKENS = 16
LISTED_MODELS = 20
"""How many of an endpoint's models a message names."""


class LLMClient:
    """Talks to the model of one endpoint; fills the port `ChatModel`.

    Nothing is contacted before the first call. A question is sent again only where the endpoint
    refuses one of its parameters by name; that is remembered for the next.

    Attributes:
        endpoint: where and what to ask.
    """

    def __init__(
        self, endpoint: Endpoint, api_key: str | None, http: httpx.AsyncClient | None = None
    ) -> None:
        """Make a client; with `http`, requests go through that and it stays the caller's."""
        self.endpoint = endpoint
        self._connection = Connection(endpoint, api_key, http)
        self._failures = self._connection.failures
        self._adaptations: list[Adaptation] = []

    @property
    def name(self) -> str:
        """The model's name."""
        return self.endpoint.model

    @property
    def context_tokens(self) -> int:
        """How many tokens the model takes, prompt and reply together."""
        return self.endpoint.context_tokens

    async def close(self) -> None:
        """Close the connections, but for an HTTP client that was given."""
        await self._connection.close()

    async def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[ChatDelta, None]:
        """Stream a reply; closing the iterator closes the connection at once.

        Thinking comes in `reasoning`, whether the endpoint keeps it apart or not. The last piece
        has a `finish_reason`.

        Raises:
            EndpointError: one of its kinds, with a sentence for the reader.
        """
        payload: Payload = {
            "model": self.endpoint.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
        }
        for adapt in self._adaptations:
            adapt(payload)
        splitter = ThinkingSplitter(self.endpoint.model)
        finish_reason: str | None = None
        async with aclosing(self._pieces(payload)) as pieces:
            async for piece in pieces:
                finish_reason = piece.finish_reason or finish_reason
                if piece.reasoning:
                    splitter.sent_apart()
                told = splitter.feed(piece.text)
                reasoning = piece.reasoning + told.reasoning
                if told.text or reasoning:
                    yield ChatDelta(told.text, reasoning)
        rest = splitter.finish()
        yield ChatDelta(rest.text, rest.reasoning, finish_reason or "stop")

    async def list_models(self) -> list[str]:
        """Return the names of the endpoint's models, in its order.

        Raises:
            EndpointError: one of its kinds, with a sentence for the reader.
        """
        limit_s = WHOLE_REPLY_TIMEOUT_S
        async with self._connection.reply("GET", "/models", None, timeout_s=limit_s) as response:
            body = await self._connection.body(response, limit_s)
            if response.status_code != httpx.codes.OK:
                raise self._connection.refusal(response, body)
        return model_names(parse_json(body, self._failures), self._failures)

    async def test(self) -> str:
        """Have the model say a word; return a sentence that tells how that went.

        Raises:
            EndpointError: it failed; the message says what did, and where the model is not known,
                which ones are.
        """
        started = time.perf_counter()
        prompt = [ChatMessage("user", TEST_PROMPT)]
        try:
            async with aclosing(self.stream(prompt, max_tokens=TEST_MAX_TOKENS)) as deltas:
                async for _ in deltas:
                    pass
        except EndpointModelError as error:
            raise EndpointModelError(f"{error}{await self._known_models()}") from error
        elapsed_s = time.perf_counter() - started
        return f"{self.endpoint.model} at “{self.endpoint.name}” answered in {elapsed_s:.1f} s."

    async def _known_models(self) -> str:
        try:
            names = await self.list_models()
        except EndpointError:
            return ""  # the error at hand says more than that the list cannot be had either
        return f" It has: {', '.join(names[:LISTED_MODELS])}." if names else ""

    async def _pieces(self, payload: Payload) -> AsyncGenerator[ChatDelta, None]:
        """Yield what comes, changing the request where the endpoint refuses a parameter."""
        limit_s = FIRST_TOKEN_TIMEOUT_S
        while True:
            async with self._connection.reply(
                "POST", "/chat/completions", payload, timeout_s=limit_s
            ) as response:
                if response.status_code == httpx.codes.OK:
                    async with aclosing(self._reply_pieces(response)) as pieces:
                        async for piece in pieces:
                            yield piece
                    return
                body = await self._connection.body(response, WHOLE_REPLY_TIMEOUT_S)
                adapt = None
                if response.status_code == httpx.codes.BAD_REQUEST:
                    adapt = adaptation_for(body, payload)
                if adapt is None:
                    raise self._connection.refusal(response, body)
            adapt(payload)
            self._adaptations.append(adapt)

    async def _reply_pieces(self, response: httpx.Response) -> AsyncGenerator[ChatDelta, None]:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            async with aclosing(self._events(response)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            yield self._whole_answer(await self._connection.body(response, FIRST_TOKEN_TIMEOUT_S))

    async def _events(self, response: httpx.Response) -> AsyncGenerator[ChatDelta, None]:
        heard = began = ended = False
        async with aclosing(EventSource(response).aiter_sse()) as events:
            while (event := await self._next(events, before_first=not began)) is not None:
                if event.data.strip() == "[DONE]":
                    ended = True
                    break
                if not event.data:
                    continue
                heard = True
                piece = delta_of(parse_json(event.data, self._failures), self._failures)
                if piece is not None:
                    began = began or bool(piece.text or piece.reasoning)
                    ended = ended or piece.finish_reason is not None
                    yield piece
        if not heard:
            raise self._failures.not_the_api("an empty reply")
        if not ended:
            raise self._failures.cut_short()

    async def _next(
        self, events: AsyncGenerator[ServerSentEvent, None], *, before_first: bool
    ) -> ServerSentEvent | None:
        """Wait for the next event; comments that keep the connection alive do not count."""
        limit_s = FIRST_TOKEN_TIMEOUT_S if before_first else NEXT_TOKEN_TIMEOUT_S
        try:
            async with asyncio.timeout(limit_s):
                return await anext(events, None)
        except TimeoutError as error:
            raise self._failures.too_late(limit_s, before_first=before_first) from error

    def _whole_answer(self, body: bytes) -> ChatDelta:
        """Read a reply that came in one piece, though a stream was asked for."""
        if not body.strip():
            raise self._failures.not_the_api("an empty reply")
        piece = delta_of(parse_json(body, self._failures), self._failures)
        if piece is None:
            raise self._failures.not_the_api("a reply without an answer in it")
        return piece
