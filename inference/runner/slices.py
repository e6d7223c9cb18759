"""What the scheduler asks the runner to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SequenceSlice:
    """The part of one sequence that a step computes: a prefill chunk, or a decode with drafts.

    Attributes:
        token_ids: the tokens to compute, at least one.
        start: position of the first of them; keys and values before it are in the cache.
        block_ids: the sequence's block table; it covers positions 0 to start + tokens - 1, and
            block `block_ids[i]` holds positions i * block_size onwards. More blocks may follow.
        logit_rows: logits are wanted for the last this-many tokens (0: a prefill chunk that is
            not the last).
    """

    token_ids: Sequence[int]
    start: int
    block_ids: Sequence[int]
    logit_rows: int
