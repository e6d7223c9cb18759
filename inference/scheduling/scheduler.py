"""Which sequences are computed in the next step, and how much of each.

Batching is continuous (Orca, OSDI 2022): sequences join and leave between steps. A step holds one
token, and any drafts, of every sequence that is generating, and in what is left of the step's token
budget chunks of prompts (chunked prefill, arXiv 2308.16369). Of that rest, half belongs to the
oldest unfinished prompt, so that a long prompt always advances; the other half goes to the
shortest, so that a short question does not wait for a long one.

When blocks run out, the newest running sequence is preempted: its blocks are given back and it
waits at its old place until it can be computed again. The oldest is never preempted for another,
and each fits the cache by itself, so every sequence comes to its end.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from collections.abc import Sequence as Tokens
from dataclasses import dataclass

from inference.kv_cache.block_manager import BlockManager
from inference.scheduling.limits import SchedulingLimits
from inference.scheduling.sequence import Sequence

_MOST_GROWTH_BLOCKS = 64
_NO_DRAFTS: Mapping[Sequence, tuple[int, ...]] = {}


@dataclass(frozen=True, slots=True)
class ScheduledSlice:
    """What one step computes of one sequence.

    Attributes:
        sequence: whose tokens they are.
        start: position of the first.
        num_tokens: how many of the sequence's own tokens, at least 1.
        draft: tokens guessed to follow, to be verified in the same step.
        draws: whether a token is drawn after them: False for a chunk that is not the prompt's last.
    """

    sequence: Sequence
    start: int
    num_tokens: int
    draft: tuple[int, ...] = ()
    draws: bool = True

    @property
    def token_ids(self) -> list[int]:
        """The tokens to compute, drafts last."""
        end = self.start + self.num_tokens
        return [*self.sequence.token_ids[self.start : end], *self.draft]


class Scheduler:
    """Decides each step. Not thread-safe: the engine's thread owns it.

    Attributes:
        running: sequences that hold blocks, oldest first.
        waiting: sequences that hold none, oldest first.
        preemptions: how often a sequence had to give its blocks back.
    """

    def __init__(self, blocks: BlockManager, limits: SchedulingLimits) -> None:
        self.running: list[Sequence] = []
        self.waiting: list[Sequence] = []
        self.preemptions = 0
        self._blocks = blocks
        self._limits = limits

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        sequence.chain.extend(sequence.token_ids)
        insort(self.waiting, sequence, key=_arrival)

    def remove(self, sequence: Sequence, *, keep_blocks: bool = True) -> None:
        """Forget a sequence that ended, wherever it stands, and take its blocks back at once.

        Args:
            sequence: one that was added.
            keep_blocks: leave what it computed reusable; False where that may be damaged.
        """
        if sequence.table is None:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self._blocks.close(sequence.table, keep=keep_blocks)
        sequence.table = None

    def generating(self) -> list[Sequence]:
        """Return the running sequences of which all but the last token is computed."""
        return [sequence for sequence in self.running if sequence.remaining_tokens == 1]

    def has_prompts(self) -> bool:
        """Say whether the next step may hold a part of a prompt."""
        return bool(self.waiting) or any(sequence.remaining_tokens > 1 for sequence in self.running)

    def schedule(
        self, drafts: Mapping[Sequence, tuple[int, ...]] = _NO_DRAFTS
    ) -> list[ScheduledSlice]:
        """Choose what the next step computes.

        Args:
            drafts: tokens guessed to follow, for generating sequences; left out where they do not
                fit the budget or the blocks.
        """
        preemptions = self.preemptions
        budget = self._limits.max_step_tokens
        slices = self._schedule_generating(drafts, budget // 2 if self.has_prompts() else budget)
        budget -= sum(1 + len(piece.draft) for piece in slices)
        self._schedule_prompts(slices, budget, may_admit=self.preemptions == preemptions)
        return slices

    def advance(self, piece: ScheduledSlice, new_tokens: Tokens[int]) -> None:
        """Take in what a step computed.

        Args:
            piece: what was scheduled.
            new_tokens: the tokens drawn: drafts that were right, then one more; none for a chunk.
        """
        sequence = piece.sequence
        assert sequence.table is not None
        right_drafts = max(0, len(new_tokens) - 1)
        sequence.computed_tokens = piece.start + piece.num_tokens + right_drafts
        sequence.token_ids.extend(new_tokens)
        if sequence.computed_tokens >= (sequence.table.published + 1) * self._blocks.block_size:
            sequence.chain.extend(sequence.token_ids)
            self._blocks.publish(sequence.table, sequence.chain, sequence.computed_tokens)

    def _schedule_generating(
        self, drafts: Mapping[Sequence, tuple[int, ...]], budget: int
    ) -> list[ScheduledSlice]:
        generating = self.generating()
        # First a token for each, so that nobody is preempted for what is only guessed. Who has
        # room stays: only those after it are preempted.
        fitting = [
            sequence
            for sequence in generating
            if self._make_room(sequence, len(sequence.token_ids))
        ]
        draft_budget = budget - len(generating)
        slices: list[ScheduledSlice] = []
        for sequence in fitting:
            assert sequence.table is not None
            length = len(sequence.token_ids)
            draft = drafts.get(sequence, ())[: max(0, draft_budget)]
            if draft and not self._blocks.extend(sequence.table, length + len(draft)):
                draft = ()
            slices.append(ScheduledSlice(sequence, length - 1, 1, draft))
            draft_budget -= len(draft)
        return slices

    def _make_room(self, sequence: Sequence, num_tokens: int) -> bool:
        while sequence.table is not None:
            if self._blocks.extend(sequence.table, num_tokens):
                return True
            self._preempt(self.running[-1])
        return False

    def _preempt(self, sequence: Sequence) -> None:
        assert sequence.table is not None
        self.running.remove(sequence)
        self._blocks.close(sequence.table)
        sequence.table = None
        sequence.computed_tokens = 0
        sequence.chain.extend(sequence.token_ids)
        insort(self.waiting, sequence, key=_arrival)
        self.preemptions += 1

    def _schedule_prompts(
        self, slices: list[ScheduledSlice], budget: int, *, may_admit: bool
    ) -> None:
        candidates = [sequence for sequence in self.running if sequence.remaining_tokens > 1]
        if may_admit and len(self.running) < self._limits.max_batch:
            candidates.extend(self.waiting)
        if not candidates:
            return
        oldest = min(candidates, key=_arrival)
        others = sorted(candidates, key=_remaining)
        others.remove(oldest)
        for_others = min(budget // 2, sum(map(_remaining, others)))
        grants: dict[Sequence, int] = {}
        for sequence in (oldest, *others):
            share = budget - for_others if sequence is oldest else budget
            if share < 1:
                break
            if sequence.table is None and not self._is_worth_waiting(sequence, grants):
                if not may_admit or len(self.running) >= self._limits.max_batch:
                    continue
                may_admit = self._admit(sequence)
            if sequence.table is not None:
                grants[sequence] = min(share, sequence.remaining_tokens)
                budget -= grants[sequence]
        if oldest in grants:
            grants[oldest] += min(budget, oldest.remaining_tokens - grants[oldest])
        for sequence, num_tokens in grants.items():
            draws = num_tokens == sequence.remaining_tokens
            slices.append(
                ScheduledSlice(sequence, sequence.computed_tokens, num_tokens, draws=draws)
            )

    def _is_worth_waiting(self, sequence: Sequence, grants: Mapping[Sequence, int]) -> bool:
        """Say whether this very step computes a block that the sequence could share afterwards."""
        if not self._blocks.share_prefixes:
            return False
        for other in grants:
            index = other.computed_tokens // self._blocks.block_size
            shareable = (len(sequence.token_ids) - 1) // self._blocks.block_size
            if index < min(shareable, len(other.chain.keys)) and (
                other.chain.keys[index].digest == sequence.chain.keys[index].digest
            ):
                return True
        return False

    def _admit(self, sequence: Sequence) -> bool:
        """Give a waiting sequence its blocks, leaving one for each that is running."""
        growth = self._blocks.blocks_for(sequence.max_tokens - sequence.num_output_tokens)
        table = self._blocks.open(
            sequence.chain,
            len(sequence.token_ids),
            spare_blocks=len(self.running),
            growth_blocks=min(growth, _MOST_GROWTH_BLOCKS),
        )
        if table is None:
            return False
        self.waiting.remove(sequence)
        insort(self.running, sequence, key=_arrival)
        sequence.table = table
        sequence.computed_tokens = table.published * self._blocks.block_size
        if not sequence.was_admitted:
            sequence.was_admitted = True
            sequence.cached_tokens = sequence.computed_tokens
        return True


def _arrival(sequence: Sequence) -> int:
    return sequence.arrival


def _remaining(sequence: Sequence) -> int:
    return sequence.remaining_tokens
