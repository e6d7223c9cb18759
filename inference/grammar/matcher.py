"""One answer's way through its grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inference.errors import GrammarError

if TYPE_CHECKING:
    from llguidance import LLMatcher

_FAILED = ("LexerTooComplex", "ParserTooComplex", "InternalError")


class GrammarMatcher:
    """Says which tokens may come next. Not safe on two threads at once."""

    def __init__(self, matcher: LLMatcher, eos_token_ids: Sequence[int]) -> None:
        """Begin an answer.

        Args:
            matcher: at the start of the grammar; it becomes this object's own.
            eos_token_ids: tokens that end the answer, allowed where the grammar may end.
        """
        self._matcher = matcher
        self._eos_token_ids = frozenset(eos_token_ids)
        self._ended = False

    @property
    def is_finished(self) -> bool:
        """Whether the answer is complete: nothing but its end may follow, or the end came."""
        return self._ended or (self._matcher.is_stopped() and failure(self._matcher) is None)

    def mask_after(self, draft: Sequence[int] = ()) -> NDArray[np.int32]:
        """The tokens allowed after these further tokens, without taking them.

        Returns:
            A bit for each token, set where it is allowed, least significant first. All are set
            where the grammar does not allow the draft itself, or the draft ends the answer: such a
            row's token is never used.

        Raises:
            GrammarError: the grammar grew beyond its limits.
        """
        taken = self._try(draft)
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.int32)
        self._check()
        if taken and not self._matcher.rollback(taken):
            self._check()
        return mask if taken == len(draft) else np.full_like(mask, -1)

    def allowed(self, draft: Sequence[int]) -> int:
        """How many of these tokens, from the first, the grammar allows."""
        taken = self._try(draft)
        if taken:
            self._matcher.rollback(taken)
        return taken

    def advance(self, token_id: int) -> None:
        """Take a token.

        Raises:
            GrammarError: the token is not allowed.
        """
        if token_id in self._eos_token_ids:
            if not self._matcher.is_accepting():
                raise GrammarError("The answer ended before its grammar did.")
            self._ended = True
        elif not self._matcher.consume_token(token_id):
            self._check()
            raise GrammarError(f"The grammar does not allow token {token_id}.")

    def _try(self, draft: Sequence[int]) -> int:
        """Take tokens while they are allowed; ends of the answer are not taken."""
        if not draft or self._ended or self._matcher.is_stopped():
            return 0
        tokens = list(draft)
        ends = [at for at, token_id in enumerate(tokens) if token_id in self._eos_token_ids]
        taken: int = self._matcher.try_consume_tokens(tokens[: ends[0]] if ends else tokens)
        return taken

    def _check(self) -> None:
        problem = failure(self._matcher)
        if problem is not None:
            raise GrammarError(f"The grammar could not be followed: {problem}")


def failure(matcher: LLMatcher) -> str | None:
    """Why a matcher cannot go on, or None. Beyond some limits it only stops, and is in no error."""
    if not matcher.is_error() and matcher.stop_reason() not in _FAILED:
        return None
    message = matcher.get_error().partition("<")[0].strip()  # less the state and the backtrace
    return message or "it is too complex."
