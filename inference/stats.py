"""What the engine tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine at one moment; the totals count from its start.

    Attributes:
        running: requests in the batch.
        waiting: requests in the queue.
        queue_limit: requests that the queue takes.
        blocks_total: blocks of the key-value cache.
        blocks_free: those that hold nothing of use.
        blocks_cached: those that no request holds but a later one may reuse.
        prompt_tokens: tokens of all prompts that were let in.
        cached_tokens: those of them that were found in the cache.
        generated_tokens: tokens generated.
        drafted_tokens: tokens that speculation drafted.
        accepted_tokens: drafted tokens that the model agreed with.
        preemptions: how often a request had to give its blocks back and begin again.
        steps: forward passes.
    """

    running: int
    waiting: int
    queue_limit: int
    blocks_total: int
    blocks_free: int
    blocks_cached: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    drafted_tokens: int
    accepted_tokens: int
    preemptions: int
    steps: int


@dataclass(slots=True)
class EngineTotals:
    """The counters behind `EngineStats`; only the engine's thread writes them."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    steps: int = 0
