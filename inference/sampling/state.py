"""What the choice of one answer's next token depends on, beside the logits."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidParameterError
from inference.requests import SamplingParams

_NO_TOKENS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_UNIFORM_BITS = 52  # so that the product with any sum of weights stays below that sum


class TokenConstraint(Protocol):
    """Which tokens may come next: a grammar being matched."""

    def mask_after(self, draft: Sequence[int]) -> NDArray[np.int32]:
        """The tokens allowed after these further tokens, without taking them.

        Returns:
            A bit for each token, set where it is allowed, least significant first; all set where
            the constraint does not allow the draft itself.

        Raises:
            GrammarError: the grammar grew beyond its limits.
        """

    def advance(self, token_id: int) -> None:
        """Take a token.

        Raises:
            GrammarError: the token is not allowed.
        """

    @property
    def is_finished(self) -> bool:
        """Whether nothing more may come."""


class SamplingState:
    """One answer's parameters, seed, tokens so far and grammar.

    It is independent of where the sequence stands in the cache or in a batch, so it outlives
    preemption. Make it when the request arrives: errors of the request are raised here.

    Attributes:
        params: the request's.
        output_length: tokens generated so far.
        output_counts: how often each of them came.
        constraint: the grammar being matched; None: anything goes.
        is_plain_greedy: whether the choice is the likeliest token and nothing else is asked.
        is_adjusted: whether anything changes the logits before the choice.
    """

    def __init__(
        self,
        params: SamplingParams,
        prompt_token_ids: Sequence[int],
        vocab_size: int,
        *,
        choice: int = 0,
        constraint: TokenConstraint | None = None,
    ) -> None:
        """Begin an answer.

        Args:
            params: how to draw.
            prompt_token_ids: what the answer follows; for the repetition penalty.
            vocab_size: width of the logits.
            choice: which of several answers to one prompt; each draws differently.
            constraint: the grammar, fresh.

        Raises:
            InvalidParameterError: `logit_bias` names a token that does not exist.
        """
        self.params = params
        self.constraint = constraint
        self.output_length = 0
        self.output_counts: dict[int, int] = {}
        self._seen = _Seen(prompt_token_ids) if params.repetition_penalty != 1.0 else None
        for token_id in params.logit_bias:
            if not 0 <= token_id < vocab_size:
                raise InvalidParameterError(
                    "logit_bias", f"logit_bias names token {token_id}, which the model has not."
                )
        self.is_adjusted = (
            params.repetition_penalty != 1.0
            or params.presence_penalty != 0.0
            or params.frequency_penalty != 0.0
            or bool(params.logit_bias)
            or constraint is not None
        )
        self.is_plain_greedy = (
            params.temperature == 0.0 and params.top_logprobs is None and not self.is_adjusted
        )
        seed = secrets.randbits(63) if params.seed is None else params.seed
        self._key = f"{seed}/{choice}/"

    def append(self, token_id: int) -> None:
        """Take the token that was chosen.

        Raises:
            GrammarError: the grammar does not allow it.
        """
        self.output_length += 1
        self.output_counts[token_id] = self.output_counts.get(token_id, 0) + 1
        if self._seen is not None:
            self._seen.add(token_id)
        if self.constraint is not None:
            self.constraint.advance(token_id)

    def uniform(self, ahead: int = 0) -> float:
        """The random number in [0, 1) that draws an output token.

        It depends on the seed, the choice and the token's index in the answer alone.

        Args:
            ahead: drafted tokens before the token to draw.
        """
        key = f"{self._key}{self.output_length + ahead}".encode()
        bits = int.from_bytes(blake2b(key, digest_size=8).digest()) >> (64 - _UNIFORM_BITS)
        return bits / (1 << _UNIFORM_BITS)

    def seen_after(self, draft: Sequence[int]) -> NDArray[np.int64]:
        """The tokens of prompt, answer and draft, each once; none where no penalty needs them."""
        return _NO_TOKENS if self._seen is None else self._seen.tokens_with(draft)

    def counts_after(self, draft: Sequence[int]) -> dict[int, int]:
        """`output_counts` with drafted tokens counted too."""
        if not draft:
            return self.output_counts
        counts = dict(self.output_counts)
        for token_id in draft:
            counts[token_id] = counts.get(token_id, 0) + 1
        return counts


class _Seen:
    """A growing set of tokens, at hand as an array."""

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._tokens = np.unique(np.asarray(token_ids, dtype=np.int64))
        self._count = len(self._tokens)
        self._known = set(self._tokens.tolist())

    def add(self, token_id: int) -> None:
        if token_id in self._known:
            return
        self._known.add(token_id)
        if self._count == len(self._tokens):
            self._tokens = np.resize(self._tokens, 2 * self._count + 64)
        self._tokens[self._count] = token_id
        self._count += 1

    def tokens_with(self, draft: Sequence[int]) -> NDArray[np.int64]:
        seen = self._tokens[: self._count]
        new = [token_id for token_id in dict.fromkeys(draft) if token_id not in self._known]
        return np.append(seen, np.asarray(new, dtype=np.int64)) if new else seen


class SamplingRow(NamedTuple):
    """One row of logits: whose it is, and which drafted tokens stand before it."""

    state: SamplingState
    draft: tuple[int, ...] = ()
