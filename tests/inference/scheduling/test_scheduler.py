"""The scheduler: everyone advances, nothing is lost, the oldest come first."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import PromptTooLongError
from inference.kv_cache.block_manager import BlockManager
from inference.scheduling.limits import SchedulingLimits
from inference.scheduling.scheduler import ScheduledSlice, Scheduler
from inference.scheduling.sequence import Sequence

BLOCK = 4


def _limits(**changes: int) -> SchedulingLimits:
    return SchedulingLimits(
        **{
            "max_model_len": 64,
            "cache_tokens": 64,
            "max_batch": 4,
            "max_step_tokens": 16,
            "max_draft_tokens": 8,
            "max_waiting": 100,
        }
        | changes
    )


@dataclass
class Bench:
    """A scheduler with a stand-in for the model and the cache's memory.

    What a real model would draw after a text is `next_token` of that text. `memory` holds for each
    slot of the cache the text that was computed there, so that drawing from wrong keys and values
    shows. Both are what the scheduler works against, not parts of it.
    """

    num_blocks: int = 16
    limits: SchedulingLimits = field(default_factory=_limits)
    share_prefixes: bool = True

    def __post_init__(self) -> None:
        self.blocks = BlockManager(self.num_blocks, BLOCK, share_prefixes=self.share_prefixes)
        self.scheduler = Scheduler(self.blocks, self.limits)
        self.memory: dict[int, tuple[int, ...]] = {}
        self.arrivals = itertools.count()

    def add(self, prompt: list[int], max_tokens: int) -> Sequence:
        sequence = Sequence(
            list(prompt), len(prompt), max_tokens, next(self.arrivals), self.blocks.new_chain()
        )
        self.scheduler.add(sequence)
        return sequence

    def step(self, drafts: dict[Sequence, tuple[int, ...]] | None = None) -> list[ScheduledSlice]:
        """Plan a step, compute it, and take in what was drawn."""
        plan = self.scheduler.schedule(drafts or {})
        sizes = [piece.num_tokens + len(piece.draft) for piece in plan]
        assert sum(sizes) <= self.limits.max_step_tokens
        assert len({id(piece.sequence) for piece in plan}) == len(plan)
        assert len(self.scheduler.running) <= self.limits.max_batch
        for piece in plan:
            self._write(piece)
        for piece in plan:
            drawn = self._drawn(piece) if piece.draws else []
            self.scheduler.advance(piece, drawn)
            sequence = piece.sequence
            if sequence.num_output_tokens >= sequence.max_tokens:
                self.scheduler.remove(sequence)
        self.blocks.check_integrity(
            sequence.table for sequence in self.scheduler.running if sequence.table is not None
        )
        return plan

    def _write(self, piece: ScheduledSlice) -> None:
        assert piece.sequence.table is not None
        text = [*piece.sequence.token_ids[: piece.start], *piece.token_ids]
        for position in range(piece.start, len(text)):
            block = piece.sequence.table.block_ids[position // BLOCK]
            self.memory[block * BLOCK + position % BLOCK] = tuple(text[: position + 1])

    def _drawn(self, piece: ScheduledSlice) -> list[int]:
        assert piece.sequence.table is not None
        text = [*piece.sequence.token_ids[: piece.start], *piece.token_ids]
        for position in range(len(text)):
            block = piece.sequence.table.block_ids[position // BLOCK]
            computed = self.memory[block * BLOCK + position % BLOCK]
            assert computed == tuple(text[: position + 1]), "keys and values of another text"
        drawn = []
        own = len(text) - len(piece.draft)
        for index in range(len(piece.draft) + 1):
            drawn.append(next_token(text[: own + index]))
            if len(drawn) + piece.sequence.num_output_tokens >= piece.sequence.max_tokens:
                break
            if index == len(piece.draft) or drawn[-1] != piece.draft[index]:
                break
        return drawn


def next_token(text: list[int]) -> int:
    return (sum(text) * 31 + len(text)) % 7


def expected(prompt: list[int], max_tokens: int) -> list[int]:
    text = list(prompt)
    for _ in range(max_tokens):
        text.append(next_token(text))
    return text


def test_a_prompt_longer_than_the_budget_is_computed_in_chunks() -> None:
    bench = Bench()
    sequence = bench.add([1] * 40, 2)
    sizes = [bench.step()[0].num_tokens for _ in range(4)]
    assert sizes == [16, 16, 8, 1]
    assert sequence.token_ids == expected([1] * 40, 2)


def test_answers_go_on_beside_a_long_prompt() -> None:
    bench = Bench()
    first = bench.add([1, 2], 8)
    bench.step()
    bench.add([3] * 40, 1)
    plan = bench.step()
    assert [(piece.sequence is first, piece.num_tokens) for piece in plan] == [
        (True, 1),
        (False, 15),
    ]


def test_a_short_prompt_does_not_wait_for_a_long_one() -> None:
    bench = Bench()
    long = bench.add([1] * 50, 4)
    bench.step()
    short = bench.add([2] * 6, 4)
    plan = bench.step()
    assert {id(piece.sequence): piece.num_tokens for piece in plan} == {id(long): 10, id(short): 6}
    assert short.num_output_tokens == 1


def test_a_long_prompt_advances_however_many_short_ones_come() -> None:
    bench = Bench(num_blocks=64, limits=_limits(cache_tokens=256))
    long = bench.add([1] * 60, 1)
    for step in range(8):
        for _ in range(3):
            bench.add([step + 2, 3, 4], 1)
        bench.step()
    assert long.num_output_tokens == 1


def test_the_oldest_waiting_is_not_overtaken_for_blocks() -> None:
    bench = Bench(num_blocks=10, limits=_limits(cache_tokens=40))
    running = bench.add([1] * 16, 8)
    bench.step()
    large = bench.add([2] * 24, 1)
    small = bench.add([3] * 2, 1)
    while running.num_output_tokens < 8:
        bench.step()
        assert small.table is None
    bench.step()
    assert large.table is not None


def test_the_newest_is_preempted_and_ends_with_the_same_text() -> None:
    bench = Bench(num_blocks=8, limits=_limits(cache_tokens=32))
    prompts = [[1] * 6, [2] * 6, [3] * 6]
    sequences = [bench.add(prompt, 20) for prompt in prompts]
    order: list[Sequence] = []
    while bench.scheduler.running or bench.scheduler.waiting:
        bench.step()
        order += [one for one in sequences if one.num_output_tokens == 20 and one not in order]
    assert bench.scheduler.preemptions > 0
    assert order == sequences
    assert [one.token_ids for one in sequences] == [expected(prompt, 20) for prompt in prompts]


def test_a_removed_sequence_gives_its_blocks_back_in_the_middle_of_its_prompt() -> None:
    bench = Bench()
    sequence = bench.add([1] * 40, 4)
    bench.step()
    bench.scheduler.remove(sequence)
    assert bench.blocks.num_available == 16
    waiting = bench.add([1] * 40, 4)
    bench.scheduler.remove(waiting)
    assert not bench.scheduler.has_prompts()


def test_equal_prompts_are_computed_once() -> None:
    bench = Bench(num_blocks=32, limits=_limits(cache_tokens=128))
    sequences = [bench.add([5] * 42, 3) for _ in range(4)]
    computed = 0
    while bench.scheduler.running or bench.scheduler.waiting:
        computed += sum(piece.num_tokens for piece in bench.step())
    assert computed == 40 + 4 * (2 + 2)  # what is shared once, then the rest and all but the last
    assert sequences[3].cached_tokens == 40


def test_equal_prompts_do_not_wait_for_each_other_where_nothing_is_shared() -> None:
    bench = Bench(share_prefixes=False)
    prompts = [bench.add([1] * 8, 2) for _ in range(2)]
    assert [piece.sequence for piece in bench.step()] == prompts


def test_generated_tokens_are_found_by_the_next_turn() -> None:
    bench = Bench()
    first = bench.add([1] * 5, 12)
    while bench.scheduler.running or bench.scheduler.waiting:
        bench.step()
    second = bench.add([*first.token_ids, 6, 6], 1)
    bench.step()
    assert second.cached_tokens == 16


def test_right_drafts_are_taken_and_wrong_ones_leave_no_trace() -> None:
    bench = Bench()
    sequence = bench.add([1, 2, 3], 12)
    bench.step()
    right = expected([1, 2, 3], 12)
    bench.step({sequence: tuple(right[4:7])})
    assert sequence.token_ids == right[:8]
    bench.step({sequence: (right[8], 99, 99)})
    assert sequence.token_ids == right[:10]
    while bench.scheduler.running:
        bench.step()
    assert sequence.token_ids == right


def test_nobody_is_preempted_for_a_draft() -> None:
    bench = Bench(num_blocks=5, limits=_limits(max_step_tokens=32))
    older, newer = bench.add([1] * 7, 6), bench.add([2] * 8, 4)
    bench.step()
    plan = bench.step({older: (0, 0, 0)})
    assert [(piece.sequence, piece.draft) for piece in plan] == [(older, ()), (newer, ())]
    assert not bench.scheduler.preemptions


def test_drafts_that_do_not_fit_the_blocks_are_left_out() -> None:
    bench = Bench(num_blocks=2, limits=_limits(cache_tokens=8))
    sequence = bench.add([1] * 7, 1)
    bench.scheduler.schedule()
    assert sequence.table is not None
    sequence.computed_tokens = 6
    (piece,) = bench.scheduler.schedule({sequence: (1, 2, 3)})
    assert piece.draft == ()


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "allowed"),
    [(10, 54, 54), (10, None, 54), (63, None, 1), (10, 55, None), (64, None, None), (90, 1, None)],
)
def test_what_can_never_fit_is_refused_with_the_counts(
    prompt: int, max_tokens: int | None, allowed: int | None
) -> None:
    limits = _limits(max_model_len=100, cache_tokens=64)
    if allowed is not None:
        assert limits.max_tokens_for(prompt, max_tokens) == allowed
        return
    with pytest.raises(PromptTooLongError) as refusal:
        limits.max_tokens_for(prompt, max_tokens)
    for count in (prompt, max_tokens or 1, 100, 64):
        assert str(count) in str(refusal.value)


@dataclass(frozen=True)
class _Event:
    prompt: list[int]
    max_tokens: int
    steps_before: int
    cancel_after: int | None


_events = st.builds(
    _Event,
    prompt=st.lists(st.integers(0, 1), min_size=1, max_size=24),
    max_tokens=st.integers(1, 12),
    steps_before=st.integers(0, 3),
    cancel_after=st.none() | st.integers(0, 8),
)


def _run_history(events: list[_Event], num_blocks: int, share: bool, draft: bool) -> None:
    bench = Bench(num_blocks, _limits(cache_tokens=num_blocks * BLOCK), share)
    cancels: list[tuple[int, Sequence]] = []
    kept: list[tuple[Sequence, _Event]] = []
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        drafts = {}
        for sequence in bench.scheduler.generating() if draft else ():
            text = list(sequence.token_ids)
            guess = expected(text, 3)[len(text) :]
            guess[steps % 3] += steps % 2
            room = sequence.max_tokens - sequence.num_output_tokens - 1
            drafts[sequence] = tuple(guess[:room])
        if bench.scheduler.running or bench.scheduler.waiting:
            assert bench.step(drafts), "nothing was computed though somebody waits"
        for due, sequence in list(cancels):
            if due <= steps:
                cancels.remove((due, sequence))
                if sequence.num_output_tokens < sequence.max_tokens:
                    bench.scheduler.remove(sequence)

    for event in events:
        for _ in range(event.steps_before):
            step()
        sequence = bench.add(event.prompt, event.max_tokens)
        if event.cancel_after is not None:
            cancels.append((steps + event.cancel_after, sequence))
        else:
            kept.append((sequence, event))
    most = 40 * len(events) + steps
    while bench.scheduler.running or bench.scheduler.waiting or cancels:
        step()
        assert steps <= most, "somebody starves"
    for sequence, event in kept:
        assert sequence.token_ids == expected(event.prompt, event.max_tokens)
    bench.blocks.check_integrity([])
    assert bench.blocks.num_available == num_blocks


@settings(max_examples=120, deadline=None)
@given(st.lists(_events, min_size=1, max_size=12), st.integers(9, 20), st.booleans(), st.booleans())
def test_random_histories_end_with_the_right_texts(
    events: list[_Event], num_blocks: int, share: bool, draft: bool
) -> None:
    _run_history(events, num_blocks, share, draft)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None)
@given(st.lists(_events, min_size=1, max_size=40), st.integers(9, 40), st.booleans(), st.booleans())
def test_long_random_histories_end_with_the_right_texts(
    events: list[_Event], num_blocks: int, share: bool, draft: bool
) -> None:
    _run_history(events, num_blocks, share, draft)
