"""The block manager: no block lost or shared wrongly, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from inference.kv_cache.block_manager import BlockManager, BlockTable
from inference.kv_cache.prefix_chain import BlockKey, PrefixChain

BLOCK = 4


def _opened(
    manager: BlockManager, tokens: list[int], **spare: int
) -> tuple[BlockTable, PrefixChain]:
    chain = manager.new_chain()
    chain.extend(tokens)
    table = manager.open(chain, len(tokens), **spare)
    assert table is not None
    return table, chain


def _computed(manager: BlockManager, tokens: list[int]) -> BlockTable:
    table, chain = _opened(manager, tokens)
    manager.publish(table, chain, len(tokens))
    return table


def test_a_second_sequence_takes_the_same_blocks_but_never_its_whole_prompt() -> None:
    manager = BlockManager(8, BLOCK)
    first = _computed(manager, list(range(12)))
    second, _ = _opened(manager, list(range(12)))
    assert second.block_ids[:2] == first.block_ids[:2]
    assert second.published == 2
    assert second.block_ids[2] != first.block_ids[2]


def test_an_uncomputed_block_is_not_shared() -> None:
    manager = BlockManager(8, BLOCK)
    tokens = list(range(9))
    first, chain = _opened(manager, tokens)
    manager.publish(first, chain, 7)
    second, _ = _opened(manager, tokens)
    assert second.published == 1


def test_equal_blocks_after_other_tokens_are_not_shared() -> None:
    manager = BlockManager(8, BLOCK)
    _computed(manager, [1, 1, 1, 1, 5, 5, 5, 5])
    second, _ = _opened(manager, [2, 2, 2, 2, 5, 5, 5, 5, 9])
    assert second.published == 0


def test_another_seed_finds_nothing() -> None:
    ours, theirs = PrefixChain(b"bf16", BLOCK), PrefixChain(b"int4", BLOCK)
    ours.extend(range(8))
    theirs.extend(range(8))
    assert not {key.digest for key in ours.keys} & {key.digest for key in theirs.keys}


def test_the_same_digest_for_other_tokens_is_no_hit() -> None:
    manager = BlockManager(8, BLOCK)
    first = _computed(manager, list(range(8)))
    chain = manager.new_chain()
    chain.extend([9] * 8)
    known = manager.new_chain()
    known.extend(range(8))
    chain.keys[0] = BlockKey(known.keys[0].digest, chain.keys[0].tokens)
    table = manager.open(chain, 8)
    assert table is not None
    assert table.published == 0
    manager.publish(table, chain, 8)
    assert table.published == 0
    manager.check_integrity([first, table])


def test_two_that_computed_the_same_hold_one_block_afterwards() -> None:
    manager = BlockManager(8, BLOCK)
    tokens = list(range(9))
    first, chain = _opened(manager, tokens)
    second, other_chain = _opened(manager, tokens)
    manager.publish(first, chain, 9)
    manager.publish(second, other_chain, 9)
    assert first.block_ids[:2] == second.block_ids[:2]
    assert manager.num_free == 8 - 4
    manager.check_integrity([first, second])


def test_closed_blocks_come_back_and_are_found_again() -> None:
    manager = BlockManager(8, BLOCK)
    manager.close(_computed(manager, list(range(10))))
    assert (manager.num_free, manager.num_kept, manager.num_available) == (6, 2, 8)
    again, _ = _opened(manager, list(range(10)))
    assert again.published == 2


def test_damaged_blocks_are_not_found_again() -> None:
    manager = BlockManager(8, BLOCK)
    manager.close(_computed(manager, list(range(10))), keep=False)
    assert (manager.num_free, manager.num_kept) == (8, 0)


def test_damaged_blocks_that_others_hold_stay() -> None:
    manager = BlockManager(8, BLOCK)
    first, second = _computed(manager, list(range(10))), _computed(manager, list(range(10)))
    manager.close(first, keep=False)
    manager.check_integrity([second])
    assert second.published == 2


def test_the_least_recently_used_goes_first_and_leaves_before_what_they_build_on() -> None:
    manager = BlockManager(6, BLOCK)
    manager.close(_computed(manager, [1] * 9))
    manager.close(_computed(manager, [2] * 9))
    manager.close(_opened(manager, [1] * 9)[0])
    filler, _ = _opened(manager, [3] * 12)
    assert _matched(manager, [2] * 9) == 1
    assert _matched(manager, [1] * 9) == 2
    manager.close(filler)


def _matched(manager: BlockManager, tokens: list[int]) -> int:
    chain = manager.new_chain()
    chain.extend(tokens)
    return len(manager.match(chain, len(tokens)))


def test_a_table_that_does_not_fit_changes_nothing() -> None:
    manager = BlockManager(4, BLOCK)
    table, _ = _opened(manager, [1] * 8)
    chain = manager.new_chain()
    assert manager.open(chain, 12) is None
    assert manager.open(chain, 8, spare_blocks=1) is None
    assert not manager.extend(table, 20)
    assert manager.num_free == 2
    assert manager.extend(table, 16)


def test_a_hit_on_kept_blocks_is_not_counted_as_room() -> None:
    manager = BlockManager(4, BLOCK)
    manager.close(_computed(manager, list(range(13))))
    assert manager.num_available == 4
    chain = manager.new_chain()
    chain.extend(list(range(20)))
    assert manager.open(chain, 20) is None
    assert manager.num_available == 4


def test_blocks_form_runs_and_growing_sequences_stay_whole() -> None:
    manager = BlockManager(64, BLOCK)
    tables = [_opened(manager, [seed] * 9, growth_blocks=4)[0] for seed in range(5)]
    for tokens in range(10, 26):
        for table in tables:
            assert manager.extend(table, tokens)
    for table in tables:
        first = table.block_ids[0]
        assert table.block_ids == list(range(first, first + 7))


def test_scattered_blocks_serve_where_there_is_no_run() -> None:
    manager = BlockManager(8, BLOCK)
    tables = [_opened(manager, [seed] * 4)[0] for seed in range(8)]
    for table in tables[::2]:
        manager.close(table, keep=False)
    scattered, _ = _opened(manager, [9] * 16)
    assert sorted(scattered.block_ids) == [0, 2, 4, 6]


def test_without_sharing_nothing_is_found() -> None:
    manager = BlockManager(8, BLOCK, share_prefixes=False)
    manager.close(_computed(manager, list(range(10))))
    assert (manager.num_free, _matched(manager, list(range(10)))) == (8, 0)


def test_a_lost_block_is_noticed() -> None:
    manager = BlockManager(8, BLOCK)
    _opened(manager, [1] * 9)
    with pytest.raises(RuntimeError, match="do not add up"):
        manager.check_integrity([])


@dataclass(eq=False)
class _Held:
    """A sequence and what its blocks would hold, had they really been computed."""

    tokens: list[int]
    table: BlockTable
    chain: PrefixChain
    computed: int


class BlockManagerMachine(RuleBasedStateMachine):
    """Random histories of sequences that open, compute, grow and close.

    `contents` plays the cache's memory: what was last written to each block, as the prefix that its
    keys and values depend on. A sequence must always find its own prefix in its blocks.
    """

    held = Bundle("held")

    @initialize(num_blocks=st.integers(1, 12))
    def start(self, num_blocks: int) -> None:
        self.manager = BlockManager(num_blocks, BLOCK)
        self.contents: dict[int, tuple[int, ...]] = {}
        self.open: list[_Held] = []

    @rule(
        target=held,
        tokens=st.lists(st.integers(0, 1), min_size=1, max_size=20),
        spare=st.integers(0, 2),
        growth=st.integers(0, 3),
    )
    def open_sequence(self, tokens: list[int], spare: int, growth: int) -> _Held:
        chain = self.manager.new_chain()
        chain.extend(tokens)
        available = self.manager.num_available
        table = self.manager.open(chain, len(tokens), spare_blocks=spare, growth_blocks=growth)
        if table is None:
            assert self.manager.num_available == available
            return _Held(tokens, BlockTable(), chain, len(tokens))
        sequence = _Held(list(tokens), table, chain, table.published * BLOCK)
        assert sequence.computed < len(tokens)
        self.open.append(sequence)
        return sequence

    @rule(sequence=held, count=st.integers(1, 12))
    def compute(self, sequence: _Held, count: int) -> None:
        if sequence not in self.open:
            return
        end = min(len(sequence.tokens), sequence.computed + count)
        for position in range(sequence.computed, end):
            block = sequence.table.block_ids[position // BLOCK]
            self.contents[block] = tuple(sequence.tokens[: position + 1])
        sequence.computed = end
        self.manager.publish(sequence.table, sequence.chain, end)

    @rule(sequence=held, tokens=st.lists(st.integers(0, 1), min_size=1, max_size=6))
    def grow(self, sequence: _Held, tokens: list[int]) -> None:
        if sequence not in self.open:
            return
        if self.manager.extend(sequence.table, len(sequence.tokens) + len(tokens)):
            sequence.tokens.extend(tokens)
            sequence.chain.extend(sequence.tokens)

    @rule(sequence=consumes(held), keep=st.booleans())
    def close(self, sequence: _Held, keep: bool) -> None:
        if sequence in self.open:
            self.open.remove(sequence)
            self.manager.close(sequence.table, keep=keep)

    @invariant()
    def books_add_up(self) -> None:
        if not hasattr(self, "manager"):
            return
        self.manager.check_integrity(sequence.table for sequence in self.open)
        in_tables = {block for sequence in self.open for block in sequence.table.block_ids}
        assert self.manager.num_available + len(in_tables) == self.manager.num_blocks

    @invariant()
    def each_finds_its_own_tokens(self) -> None:
        for sequence in getattr(self, "open", []):
            assert len(sequence.table.block_ids) == self.manager.blocks_for(len(sequence.tokens))
            for index, block in enumerate(sequence.table.block_ids):
                end = min((index + 1) * BLOCK, sequence.computed)
                if end > index * BLOCK:
                    assert self.contents[block][:end] == tuple(sequence.tokens[:end])

    def teardown(self) -> None:
        for sequence in self.open:
            self.manager.close(sequence.table)
        self.manager.check_integrity([])
        assert self.manager.num_available == self.manager.num_blocks


TestBlockManagerHistories = BlockManagerMachine.TestCase
TestBlockManagerHistories.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)


@pytest.mark.slow
def test_block_manager_over_long_histories() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        BlockManagerMachine,
        settings=settings(max_examples=3000, stateful_step_count=100, deadline=None),
    )
