from __future__ import annotations

from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.attention.batch import lay_out, run_start

CPU = torch.device("cpu")


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), min_size=1, max_size=5),
    st.sampled_from([1, 4, 16]),
    st.integers(0, 1000),
)
def test_every_token_goes_to_the_slot_of_its_position(
    shapes: list[tuple[int, int]], block_size: int, seed: int
) -> None:
    blocks = list(range(500))
    Random(seed).shuffle(blocks)
    parts = []
    expected = []
    for count, start in shapes:
        table = [blocks.pop() for _ in range(-(-(start + count) // block_size))]
        parts.append(([1] * count, start, table))
        expected += [
            (position, table[position // block_size] * block_size + position % block_size)
            for position in range(start, start + count)
        ]
    batch = lay_out(parts, block_size=block_size).on(CPU)
    assert list(zip(batch.positions.tolist(), batch.slots.tolist(), strict=True)) == expected
    assert sum(span.tokens for span in batch.spans) == batch.token_ids.shape[0]


def test_a_table_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 1 blocks"):
        lay_out([([1], 16, [0])], block_size=16)
    with pytest.raises(ValueError, match="0 tokens"):
        lay_out([([], 0, [0])], block_size=16)


def test_a_run_of_blocks() -> None:
    assert run_start([3, 4, 5]) == 3
    assert run_start([3]) == 3
    assert run_start([3, 5]) is None
    assert run_start([3, 5, 4, 6]) is None
