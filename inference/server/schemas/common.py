"""What both kinds of completion share."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.errors import InvalidParameterError
from inference.outputs import Usage
from inference.requests import (
    MAX_LOGIT_BIASES,
    MAX_STOP_STRINGS,
    GrammarSpec,
    SamplingParams,
)

MAX_CHOICES = 128
MAX_STOP_TOKENS = 1024
TOKEN_ID_KEY = r"^(0|[1-9][0-9]{0,8})$"  # noqa: S105 - a pattern, no password

StopString = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIdKey = Annotated[str, Field(pattern=TOKEN_ID_KEY)]
LogitBias = Annotated[
    dict[TokenIdKey, Annotated[float, Field(ge=-100, le=100)]],
    Field(max_length=MAX_LOGIT_BIASES, json_schema_extra={"additionalProperties": False}),
]


class ApiModel(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


class StreamOptions(ApiModel):
    """What a stream holds beside the answer."""

    include_usage: bool | None = Field(None, description="One more event at the end, with usage.")


class JsonSchemaFormat(ApiModel):
    """The schema that an answer follows."""

    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | bool | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(ApiModel):
    """What form an answer has."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None

    def grammar(self) -> GrammarSpec | None:
        """Return what the engine has to follow, or None where any text will do.

        Raises:
            InvalidParameterError: a schema is promised and missing.
        """
        if self.type == "text":
            return None
        if self.type == "json_object":
            return GrammarSpec("json_object")
        if self.json_schema is None or self.json_schema.schema_ is None:
            raise InvalidParameterError(
                "response_format",
                "response_format of type json_schema needs json_schema.schema.",
            )
        return GrammarSpec("json_schema", json.dumps(self.json_schema.schema_))


class SamplingFields(ApiModel):
    """How an answer is drawn."""

    model: str | None = Field(None, description="A name that /v1/models lists; none: that model.")
    temperature: float | None = Field(None, ge=0, le=100)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, lt=2**31, description="0 and -1: all tokens.")
    min_p: float | None = Field(None, ge=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0, le=100)
    presence_penalty: float | None = Field(None, ge=-100, le=100)
    frequency_penalty: float | None = Field(None, ge=-100, le=100)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopString | Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS)] | None = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=MAX_STOP_TOKENS)] | None = None
    ignore_eos: bool | None = None
    logit_bias: LogitBias | None = Field(None, description="By token id.")
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None

    @property
    def choices(self) -> int:
        """How many answers are wanted."""
        return self.n or 1

    @property
    def include_usage(self) -> bool:
        """Whether the stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def check_stream_options(self) -> None:
        """Raise `InvalidParameterError` where there is no stream for the options."""
        if self.stream_options is not None and not self.stream:
            raise InvalidParameterError(
                "stream_options", "stream_options may only be given where stream is true."
            )

    def sampling_params(
        self,
        vocab_size: int,
        *,
        max_tokens: int | None,
        top_logprobs: int | None,
        grammar: GrammarSpec | None,
    ) -> SamplingParams:
        """Return the engine's parameters.

        Raises:
            InvalidParameterError: a value out of range, or a token that the model has not.
        """
        bias = {int(token): value for token, value in (self.logit_bias or {}).items()}
        for token_id in bias:
            if token_id >= vocab_size:
                raise InvalidParameterError(
                    "logit_bias",
                    f"logit_bias names token {token_id}, but the model has {vocab_size} tokens.",
                )
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        return SamplingParams(
            max_tokens=max_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=max(self.top_k or 0, 0),
            top_p=1.0 if self.top_p is None else self.top_p,
            min_p=self.min_p or 0.0,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            seed=self.seed,
            stop=stop,
            stop_token_ids=tuple(self.stop_token_ids or ()),
            ignore_eos=bool(self.ignore_eos),
            top_logprobs=top_logprobs,
            logit_bias=bias,
            grammar=grammar,
        )


class PromptTokensDetails(ApiModel):
    """Of the prompt's tokens."""

    cached_tokens: int = Field(description="Those that did not have to be computed again.")


class UsageDocument(ApiModel):
    """What a reply took, over all its choices; a prompt counts once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


def usage_document(prompts: list[Usage], answers: list[Usage]) -> dict[str, Any]:
    """Return the usage of a reply.

    Args:
        prompts: one usage for each prompt.
        answers: one usage for each choice.
    """
    prompt = sum(usage.prompt_tokens for usage in prompts)
    completion = sum(usage.completion_tokens for usage in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": sum(usage.cached_tokens for usage in prompts)},
    }


class ErrorBody(ApiModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorDocument(ApiModel):
    """An error."""

    error: ErrorBody
