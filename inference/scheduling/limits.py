"""How much is computed at once, and what can ever be computed."""

from __future__ import annotations

from dataclasses import dataclass

from inference.errors import PromptTooLongError


@dataclass(frozen=True, slots=True)
class SchedulingLimits:
    """Bounds of one engine.

    Attributes:
        max_model_len: tokens that prompt and answer may have together.
        cache_tokens: tokens that the key-value cache holds.
        max_batch: sequences computed at once.
        max_step_tokens: tokens computed in one step; more than `max_batch`, so that prompts advance
            beside a full batch of answers.
        max_draft_tokens: tokens of speculation verified in one step.
        max_waiting: requests that may wait.
    """

    max_model_len: int
    cache_tokens: int
    max_batch: int
    max_step_tokens: int
    max_draft_tokens: int
    max_waiting: int

    def __post_init__(self) -> None:
        """Refuse bounds under which some request could never end."""
        if not 1 <= self.max_batch < self.max_step_tokens:
            raise ValueError("max_step_tokens must exceed max_batch, which must be at least 1.")

    def max_tokens_for(self, num_prompt_tokens: int, max_tokens: int | None) -> int:
        """Return how many tokens may be generated after a prompt.

        Args:
            num_prompt_tokens: tokens of the prompt.
            max_tokens: how many are wanted; None: as many as fit.

        Raises:
            PromptTooLongError: they can never fit, whatever else ends.
        """
        room = min(self.max_model_len, self.cache_tokens) - num_prompt_tokens
        wanted = max(room, 1) if max_tokens is None else max_tokens
        if wanted <= room:
            return wanted
        asked = "at least 1 token" if max_tokens is None else f"max_tokens of {max_tokens}"
        raise PromptTooLongError(
            f"The prompt has {num_prompt_tokens} tokens and {asked} is asked after it. "
            f"Together they may have {self.max_model_len} (the context), "
            f"and the key-value cache holds {self.cache_tokens}."
        )
