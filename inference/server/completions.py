"""`POST /v1/completions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from inference.errors import InvalidParameterError
from inference.outputs import OutputPiece, TokenLogprobs
from inference.server.answers import Answers
from inference.server.api import Api
from inference.server.generation import Prepared, Reply, requests_for, respond
from inference.server.logprobs import completion_logprobs
from inference.server.schemas.completion import CompletionRequest
from inference.server.tokens import checked_token_ids

if TYPE_CHECKING:
    from inference.engine import Engine
    from inference.text.tokenizer import Tokenizer


class Completions:
    """Goes on with texts."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def post(self, request: Request) -> Response:
        """Answer a request."""
        body = await self._api.read(request, CompletionRequest)
        reply = Reply.new("cmpl", self._api.check_model(body.model))
        engine = self._api.service.engine()
        return await respond(
            self._api,
            request,
            reply,
            lambda answers: _prepare(engine, body, reply, answers),
            stream=bool(body.stream),
            include_usage=body.include_usage,
        )


def _prepare(engine: Engine, body: CompletionRequest, reply: Reply, answers: Answers) -> Prepared:
    params = body.params(engine.config.vocab_size)
    prompts = [_token_ids(engine, prompt) for prompt in body.prompts()]
    answers.submit(requests_for(reply, prompts, params, body.choices))
    writer = CompletionWriter(engine.tokenizer, wants_logprobs=body.logprobs is not None)
    return Prepared(writer, answers, body.choices)


def _token_ids(engine: Engine, prompt: str | list[int]) -> list[int]:
    if isinstance(prompt, list):
        return checked_token_ids(engine, prompt, "prompt")
    token_ids = engine.tokenizer.encode(prompt)
    if not token_ids:
        raise InvalidParameterError("prompt", "The prompt holds no token.")
    return token_ids


@dataclass
class _Choice:
    """What one answer has said so far."""

    text: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    offset: int = 0
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class CompletionWriter:
    """Words answers as completions."""

    whole_kind = "text_completion"
    chunk_kind = "text_completion"

    def __init__(self, tokenizer: Tokenizer, *, wants_logprobs: bool) -> None:
        self._tokenizer = tokenizer
        self._wants_logprobs = wants_logprobs
        self._choices: dict[int, _Choice] = {}

    def opening(self) -> list[dict[str, Any]]:
        """Return nothing: a stream of completions begins with text."""
        return []

    def chunks(self, piece: OutputPiece) -> list[dict[str, Any]]:
        """Return the event that a piece makes, if it makes one."""
        choice = self._choices.setdefault(piece.choice, _Choice())
        if not (piece.text or piece.logprobs or piece.finish_reason):
            return []
        logprobs = None
        if self._wants_logprobs:
            logprobs = self._written(piece.logprobs, choice)
            choice.offset += sum(map(len, logprobs["tokens"]))
        return [
            {
                "index": piece.choice,
                "text": piece.text,
                "logprobs": logprobs,
                "finish_reason": piece.finish_reason,
                "stop_reason": piece.stop_reason,
            }
        ]

    def add(self, piece: OutputPiece) -> None:
        """Take a piece of a whole reply."""
        choice = self._choices.setdefault(piece.choice, _Choice())
        choice.text.append(piece.text)
        choice.logprobs += piece.logprobs
        choice.finish_reason = piece.finish_reason
        choice.stop_reason = piece.stop_reason

    def choices(self) -> list[dict[str, Any]]:
        """Return the whole answers."""
        return [
            {
                "index": index,
                "text": "".join(choice.text),
                "logprobs": self._written(choice.logprobs, choice)
                if self._wants_logprobs
                else None,
                "finish_reason": choice.finish_reason,
                "stop_reason": choice.stop_reason,
            }
            for index, choice in sorted(self._choices.items())
        ]

    def _written(
        self, entries: list[TokenLogprobs] | tuple[TokenLogprobs, ...], choice: _Choice
    ) -> dict[str, Any]:
        return completion_logprobs(entries, self._tokenizer, choice.offset)
