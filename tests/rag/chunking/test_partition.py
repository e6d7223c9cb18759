"""The partition is a true optimum: compared with trying every way to cut."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from rag.chunking.partition import partition

TARGET, LIMIT = 10.0, 14.0


def _cost(sizes: list[float], cut_costs: list[float], ends: list[int]) -> float:
    runs = [sum(sizes[first:past]) for first, past in pairwise((0, *ends))]
    return sum((run - TARGET) ** 2 for run in runs) + sum(cut_costs[end - 1] for end in ends[:-1])


def _is_allowed(sizes: list[float], ends: list[int]) -> bool:
    return all(
        past - first == 1 or sum(sizes[first:past]) <= LIMIT for first, past in pairwise((0, *ends))
    )


_piece = st.tuples(st.integers(1, 16).map(float), st.sampled_from([-4.0, 0.0, 3.0, 50.0]))


@given(st.lists(_piece, min_size=1, max_size=9))
def test_no_other_way_to_cut_costs_less(pieces: list[tuple[float, float]]) -> None:
    sizes, cut_costs = [size for size, _ in pieces], [cost for _, cost in pieces]
    ends = partition(sizes, cut_costs, TARGET, LIMIT)
    assert ends[-1] == len(sizes)
    assert _is_allowed(sizes, ends)
    others = (
        [*inner, len(sizes)]
        for count in range(len(sizes))
        for inner in combinations(range(1, len(sizes)), count)
    )
    cheapest = min(_cost(sizes, cut_costs, way) for way in others if _is_allowed(sizes, way))
    assert abs(_cost(sizes, cut_costs, ends) - cheapest) < 1e-6


def test_nothing_makes_no_run() -> None:
    assert partition([], [], TARGET, LIMIT) == []


def test_it_leaves_no_small_rest() -> None:
    ends = partition([1.0] * 32, [0.0] * 32, TARGET, LIMIT)
    assert [past - first for first, past in pairwise((0, *ends))] == [11, 11, 10]
