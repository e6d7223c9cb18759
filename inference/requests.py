"""What is asked of the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from inference.errors import InvalidParameterError

MAX_STOP_STRINGS = 64
MAX_TOP_LOGPROBS = 20
MAX_LOGIT_BIASES = 1024

GrammarKind = Literal["json_object", "json_schema", "regex", "lark"]


@dataclass(frozen=True, slots=True)
class GrammarSpec:
    """What the output must be.

    Attributes:
        kind: how to read `source`.
        source: the JSON schema as JSON, the expression or the grammar; empty for `json_object`.
    """

    kind: GrammarKind
    source: str = ""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How one answer is drawn; the names and defaults of OpenAI's API where it has them.

    Attributes:
        max_tokens: most tokens to generate; None: as many as the context takes.
        temperature: 0 is greedy.
        top_k: keep the k likeliest tokens; 0: all.
        top_p: keep the likeliest tokens that together reach this probability.
        min_p: drop tokens less likely than this share of the likeliest one's probability.
        repetition_penalty: divide (multiply) positive (negative) logits of tokens that the prompt
            or the answer holds (arXiv 1909.05858); 1 does nothing.
        presence_penalty: subtract once from the logits of tokens that the answer holds.
        frequency_penalty: subtract for each time that the answer holds a token.
        seed: same seed, same text, whatever else is in the batch; None: another each time.
        stop: strings that end the answer and are not part of it.
        stop_token_ids: tokens that end the answer, beside the model's own.
        ignore_eos: go on past the model's own end of text.
        top_logprobs: None: no log-probabilities; n: those of the chosen and of the n likeliest.
        logit_bias: added to the logits, by token id.
        grammar: what the output must be; None: anything.
        speculate: draft tokens from the prompt (lossless; off only to measure).

    Raises:
        InvalidParameterError: a value out of range.
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    top_logprobs: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    grammar: GrammarSpec | None = None
    speculate: bool = True

    def __post_init__(self) -> None:
        """Check every range once, so that no later stage has to."""
        _require(self.max_tokens is None or self.max_tokens >= 1, "max_tokens", "at least 1")
        _within("temperature", self.temperature, 0.0, 100.0)
        _require(self.top_k >= 0, "top_k", "0 (all) or more")
        _require(0.0 < self.top_p <= 1.0, "top_p", "above 0 and at most 1")
        _within("min_p", self.min_p, 0.0, 1.0)
        _require(
            math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0.0,
            "repetition_penalty",
            "above 0",
        )
        _within("presence_penalty", self.presence_penalty, -100.0, 100.0)
        _within("frequency_penalty", self.frequency_penalty, -100.0, 100.0)
        _require(len(self.stop) <= MAX_STOP_STRINGS, "stop", f"at most {MAX_STOP_STRINGS} strings")
        _require(all(self.stop), "stop", "free of empty strings")
        if self.top_logprobs is not None:
            _within("top_logprobs", self.top_logprobs, 0, MAX_TOP_LOGPROBS)
        _require(
            len(self.logit_bias) <= MAX_LOGIT_BIASES,
            "logit_bias",
            f"at most {MAX_LOGIT_BIASES} tokens",
        )
        _require(
            all(math.isfinite(bias) for bias in self.logit_bias.values()),
            "logit_bias",
            "made of finite numbers",
        )


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt and how to answer it.

    Attributes:
        request_id: unique among the requests under way; the caller's.
        prompt_token_ids: the prompt as the model takes it, special tokens included.
        params: how the answer is drawn.
        choice: which of the `n` answers to one prompt this is; each is a request of its own.
    """

    request_id: str
    prompt_token_ids: tuple[int, ...]
    params: SamplingParams
    choice: int = 0


def _require(condition: bool, parameter: str, must_be: str) -> None:
    if not condition:
        raise InvalidParameterError(parameter, f"{parameter} must be {must_be}.")


def _within(parameter: str, value: float, low: float, high: float) -> None:
    _require(low <= value <= high, parameter, f"between {low:g} and {high:g}")
