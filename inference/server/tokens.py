"""`POST /tokenize` and `POST /detokenize`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from inference.errors import InvalidParameterError
from inference.server.api import Api
from inference.server.chat import messages_of, tools_of
from inference.server.schemas.models import DetokenizeRequest, TokenizeRequest

if TYPE_CHECKING:
    from inference.engine import Engine


def checked_token_ids(engine: Engine, token_ids: Sequence[int], field: str) -> list[int]:
    """Return token ids that the model has.

    Raises:
        InvalidParameterError: one that it has not.
    """
    size = engine.config.vocab_size
    for token_id in token_ids:
        if token_id >= size:
            raise InvalidParameterError(
                field, f"{field} holds token {token_id}, but the model has {size} tokens."
            )
    return list(token_ids)


class Tokens:
    """Splits texts into tokens and joins them again."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def tokenize(self, request: Request) -> Response:
        """Answer `/tokenize`."""
        body = await self._api.read(request, TokenizeRequest)
        self._api.check_model(body.model)
        engine = self._api.service.engine()
        return await asyncio.to_thread(_tokenized, engine, body)

    async def detokenize(self, request: Request) -> Response:
        """Answer `/detokenize`."""
        body = await self._api.read(request, DetokenizeRequest)
        self._api.check_model(body.model)
        engine = self._api.service.engine()
        return await asyncio.to_thread(_detokenized, engine, body)


def _tokenized(engine: Engine, body: TokenizeRequest) -> Response:
    token_ids = _tokenize(engine, body)
    return JSONResponse(
        {"count": len(token_ids), "max_model_len": engine.max_model_len, "tokens": token_ids}
    )


def _detokenized(engine: Engine, body: DetokenizeRequest) -> Response:
    token_ids = checked_token_ids(engine, body.tokens, "tokens")
    return JSONResponse({"prompt": engine.tokenizer.decode(token_ids)})


def _tokenize(engine: Engine, body: TokenizeRequest) -> list[int]:
    if body.prompt is not None and body.messages is None:
        return engine.tokenizer.encode(body.prompt, special=body.add_special_tokens)
    if body.messages is not None and body.prompt is None:
        rendered = engine.chat.render(
            messages_of(body.messages),
            tools_of(body.tools or []),
            thinking=body.thinking,
            add_generation_prompt=body.add_generation_prompt,
        )
        return list(rendered.token_ids)
    raise InvalidParameterError("prompt", "Either prompt or messages must be given, not both.")
