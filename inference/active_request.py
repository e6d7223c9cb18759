"""A request under way: its tokens, its text and whoever waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from collections.abc import Sequence as Tokens

from inference.errors import EngineError
from inference.outputs import FinishReason, OutputPiece, TokenLogprobs, Usage
from inference.requests import GenerationRequest
from inference.sampling.sampler import Sampled
from inference.sampling.state import SamplingState
from inference.scheduling.sequence import Sequence
from inference.speculation import PromptLookup
from inference.text.stop_strings import StopStrings
from inference.text.stream_decoder import StreamDecoder

log = logging.getLogger(__name__)

Deliver = Callable[[OutputPiece], None]


class ActiveRequest:
    """Turns the tokens drawn for one request into pieces of its answer.

    It outlives preemption: where its sequence stands in the cache does not concern it.

    Attributes:
        request: what was asked.
        sequence: its tokens, as the scheduler sees them.
        sampling: how its tokens are drawn.
        lookup: drafts tokens from what it has; None where it must not speculate.
        deliver: takes the pieces.
        is_over: its last piece was made.
        drafted_tokens: tokens verified so far that speculation had guessed.
        accepted_tokens: those of them that were right.
    """

    def __init__(
        self,
        request: GenerationRequest,
        sequence: Sequence,
        sampling: SamplingState,
        decoder: StreamDecoder,
        end_token_ids: frozenset[int],
        deliver: Deliver,
    ) -> None:
        """Begin; made on the caller's thread.

        Args:
            request: what was asked.
            sequence: its tokens.
            sampling: fresh.
            decoder: fresh.
            end_token_ids: the model's own ends of text; none where they are to be ignored.
            deliver: called on the engine's thread with each piece.
        """
        self.request = request
        self.sequence = sequence
        self.sampling = sampling
        self.deliver = deliver
        self.lookup = PromptLookup(sequence.token_ids) if request.params.speculate else None
        self.is_over = False
        self.drafted_tokens = 0
        self.accepted_tokens = 0
        self._decoder = decoder
        self._stops = StopStrings(request.params.stop)
        self._end_token_ids = end_token_ids
        self._submitted_at = time.monotonic()
        self._admitted_at: float | None = None
        self._first_token_at: float | None = None

    @property
    def was_admitted(self) -> bool:
        """Whether its first forward pass has begun."""
        return self._admitted_at is not None

    def note_admission(self) -> None:
        """Note that its first forward pass begins."""
        self._admitted_at = time.monotonic()

    def take(self, sampled: Tokens[Sampled], draft: tuple[int, ...]) -> OutputPiece:
        """Take what was drawn after a draft, as far as the draft was right and the answer goes on.

        Args:
            sampled: for each token of the draft what was drawn in its place, then one more.
            draft: the tokens guessed.

        Returns:
            The next piece; its `token_ids` are the tokens that the sequence gains.
        """
        token_ids: list[int] = []
        logprobs: list[TokenLogprobs] = []
        text = ""
        self.drafted_tokens += len(draft)
        for index, one in enumerate(sampled):
            if one.error is not None:
                return self._piece(text, token_ids, logprobs, "error", error=one.error)
            token_ids.append(one.token_id)
            was_guessed = index < len(draft) and one.token_id == draft[index]
            self.accepted_tokens += was_guessed
            if one.logprobs is not None:
                logprobs.append(one.logprobs)
            if self._first_token_at is None:
                self._first_token_at = time.monotonic()
            more, reason, stop = self._append(one.token_id, len(token_ids))
            text += more
            if reason is not None:
                return self._piece(text, token_ids, logprobs, reason, stop)
            if not was_guessed:
                break
        return self._piece(text, token_ids, logprobs)

    def end(self, reason: FinishReason, error: Exception | None = None) -> OutputPiece:
        """Return the last piece of a request that ends before its answer does.

        It is made whatever state the request is in: text that cannot be completed is left out.
        """
        try:
            return self._piece("", (), (), reason, error=error)
        except Exception:
            log.exception("the text that a request held back is lost")
            return self._last("", (), (), reason, error=error)

    def _append(
        self, token_id: int, new_tokens: int
    ) -> tuple[str, FinishReason | None, str | int | None]:
        """Take a token and say what text it completes, whether it ends the answer, and by what."""
        if token_id in self._end_token_ids:
            return "", "stop", None
        if token_id in self.request.params.stop_token_ids:
            return "", "stop", token_id
        self.sampling.append(token_id)
        text, stop = self._stops.push(self._decoder.push((token_id,)))
        if stop is not None:
            return text, "stop", stop
        constraint = self.sampling.constraint
        if constraint is not None and constraint.is_finished:
            return text, "stop", None
        if self.sequence.num_output_tokens + new_tokens >= self.sequence.max_tokens:
            return text, "length", None
        return text, None, None

    def _piece(
        self,
        text: str,
        token_ids: Tokens[int],
        logprobs: Tokens[TokenLogprobs],
        reason: FinishReason | None = None,
        stop_reason: str | int | None = None,
        *,
        error: Exception | None = None,
    ) -> OutputPiece:
        if reason is None:
            return OutputPiece(
                self.request.request_id,
                self.request.choice,
                text,
                tuple(token_ids),
                tuple(logprobs),
            )
        if not isinstance(stop_reason, str):  # what follows a stop string is no part of the answer
            rest, stop = self._stops.push(self._decoder.flush())
            text += rest if stop is not None else rest + self._stops.flush()
        return self._last(text, token_ids, logprobs, reason, stop_reason, error=error)

    def _last(
        self,
        text: str,
        token_ids: Tokens[int],
        logprobs: Tokens[TokenLogprobs],
        reason: FinishReason,
        stop_reason: str | int | None = None,
        *,
        error: Exception | None = None,
    ) -> OutputPiece:
        self.is_over = True
        return OutputPiece(
            self.request.request_id,
            self.request.choice,
            text,
            tuple(token_ids),
            tuple(logprobs),
            reason,
            stop_reason,
            error,
            self._usage(len(token_ids)),
        )

    def _usage(self, new_tokens: int) -> Usage:
        now = time.monotonic()
        admitted_at = now if self._admitted_at is None else self._admitted_at
        first_at = self._submitted_at if self._first_token_at is None else self._first_token_at
        return Usage(
            prompt_tokens=self.sequence.num_prompt_tokens,
            cached_tokens=self.sequence.cached_tokens,
            completion_tokens=self.sequence.num_output_tokens + new_tokens,
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
            queued_s=admitted_at - self._submitted_at,
            first_token_s=first_at - self._submitted_at,
            total_s=now - self._submitted_at,
        )


def step_failure(error: Exception) -> EngineError:
    """Say to a client that the engine itself failed."""
    if isinstance(error, EngineError):
        return error
    failure = EngineError(f"The engine failed in a step ({type(error).__name__}: {error}).")
    failure.__cause__ = error
    return failure
