"""Requests and replies of `/v1/completions`."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import Field

from inference.errors import InvalidParameterError
from inference.requests import MAX_TOP_LOGPROBS, SamplingParams
from inference.server.schemas.common import (
    MAX_CHOICES,
    ApiModel,
    ResponseFormat,
    SamplingFields,
    TokenId,
    UsageDocument,
)

DEFAULT_MAX_TOKENS = 16
"""OpenAI's own default for this call."""

Tokens = Annotated[list[TokenId], Field(min_length=1)]


class CompletionRequest(SamplingFields):
    """A text to go on from, or several; as text or as token ids."""

    prompt: (
        str
        | Tokens
        | Annotated[list[str], Field(min_length=1, max_length=MAX_CHOICES)]
        | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_CHOICES)]
    )
    max_tokens: int | None = Field(None, ge=1, lt=2**31)
    logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)
    response_format: ResponseFormat | None = None
    echo: bool | None = Field(None, description="Not supported: must be false.")
    suffix: str | None = Field(None, description="Not supported: must be empty.")
    best_of: int | None = Field(None, ge=1, description="Not supported: must equal n.")

    def prompts(self) -> list[str | list[int]]:
        """Return the prompts, each of which gets `n` answers."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        if isinstance(prompt[0], int):
            return [prompt]
        return cast("list[str | list[int]]", prompt)

    def params(self, vocab_size: int) -> SamplingParams:
        """Return the engine's parameters, the same for each prompt.

        Raises:
            InvalidParameterError: a value out of range or not supported.
            GrammarError: no schema where one is promised.
        """
        self.check_stream_options()
        if self.echo:
            raise InvalidParameterError("echo", "echo is not supported by this server.")
        if self.suffix:
            raise InvalidParameterError("suffix", "suffix is not supported by this server.")
        if self.best_of not in (None, self.choices):
            raise InvalidParameterError("best_of", "best_of must equal n, or be left out.")
        return self.sampling_params(
            vocab_size,
            max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
            top_logprobs=self.logprobs,
            grammar=self.response_format.grammar() if self.response_format else None,
        )


class CompletionLogprobs(ApiModel):
    """The tokens of a completion; all lists are equally long."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(ApiModel):
    """One answer."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    stop_reason: str | int | None = Field(
        None, description="The stop string or token that ended it; none: the model's own end."
    )


class CompletionDocument(ApiModel):
    """The reply; in a stream, each event is one such document."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: UsageDocument | None = None
