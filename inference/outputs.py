"""What the engine answers: a stream of pieces, the last of which says how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

FinishReason = Literal["stop", "length", "cancelled", "error"]


class RankedToken(NamedTuple):
    """A token and its log-probability (natural logarithm) under the model."""

    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """The log-probability of a chosen token, and of the likeliest ones, likeliest first."""

    chosen: RankedToken
    top: tuple[RankedToken, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer took.

    Attributes:
        prompt_tokens: tokens of the prompt.
        cached_tokens: those of them whose keys and values were still there.
        completion_tokens: tokens generated, the end of text included.
        drafted_tokens: tokens that speculation drafted.
        accepted_tokens: drafted tokens that the model agreed with.
        queued_s: from submission to the first forward pass.
        first_token_s: from submission to the first token (TTFT); 0 where none came.
        total_s: from submission to the end.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    drafted_tokens: int
    accepted_tokens: int
    queued_s: float
    first_token_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class OutputPiece:
    """A piece of an answer. Exactly one piece of each request has a finish reason: its last.

    Attributes:
        request_id: the request's.
        choice: the request's.
        text: what to append to the answer: whole characters, never taken back, no stop string.
        token_ids: the tokens generated since the last piece.
        logprobs: one for each of `token_ids` where they were asked for, else empty.
        finish_reason: set on the last piece.
        stop_reason: the stop string or stop token that ended the answer; None: the model's own end.
        error: what went wrong, where the finish reason is "error".
        usage: set on the last piece.
    """

    request_id: str
    choice: int = 0
    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprobs, ...] = ()
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    error: Exception | None = None
    usage: Usage | None = None
