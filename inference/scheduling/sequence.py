"""A request's tokens and how far they are computed."""

from __future__ import annotations

from dataclasses import dataclass

from inference.kv_cache.block_manager import BlockTable
from inference.kv_cache.prefix_chain import PrefixChain


@dataclass(slots=True, eq=False)
class Sequence:
    """One prompt and what was generated after it.

    Attributes:
        token_ids: the prompt, then the output.
        num_prompt_tokens: how many of them are the prompt.
        max_tokens: most tokens of output; with the prompt they fit the context and the cache.
        arrival: order of submission; the smaller has the older claim.
        chain: keys of the full blocks of `token_ids`.
        table: the blocks held; None while the sequence waits.
        computed_tokens: how many of the first tokens have their keys and values in the cache.
        cached_tokens: how many of the prompt's were there when it was first let in.
        was_admitted: False until it is first let in.
    """

    token_ids: list[int]
    num_prompt_tokens: int
    max_tokens: int
    arrival: int
    chain: PrefixChain
    table: BlockTable | None = None
    computed_tokens: int = 0
    cached_tokens: int = 0
    was_admitted: bool = False

    @property
    def remaining_tokens(self) -> int:
        """Tokens yet to compute; 1 where each step adds a token to the output."""
        return len(self.token_ids) - self.computed_tokens

    @property
    def num_output_tokens(self) -> int:
        """Tokens generated so far."""
        return len(self.token_ids) - self.num_prompt_tokens
