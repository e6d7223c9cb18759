"""Groups a row of pieces into runs of about equal size, cutting where it hurts least."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def partition(
    sizes: Sequence[float], cut_costs: Sequence[float], target: float, limit: float
) -> list[int]:
    """Cut a row of pieces into runs, and return the index just past each run's last piece.

    Of all ways to cut it, the one with the least total cost: for each run the square of its
    distance from `target`, and for each cut the cost of cutting after that piece. This is the
    dynamic programme of Knuth and Plass's paragraph breaking (1981), and so leaves no small rest.

    Args:
        sizes: of the pieces.
        cut_costs: what it costs to cut after each piece, in squared units of size; the last one's
            counts for nothing.
        target: size that a run should have.
        limit: size that no run exceeds, unless it is a single piece.
    """
    count = len(sizes)
    ends_at = [0.0, *accumulate(sizes)]
    best = [0.0] * (count + 1)
    begins = [0] * (count + 1)
    for end in range(1, count + 1):
        size = ends_at[end]
        begin = end - 1
        distance = size - ends_at[begin] - target
        cheapest = best[begin] + distance * distance
        cheapest_begin = begin
        while begin:
            begin -= 1
            distance = size - ends_at[begin] - target
            if distance + target > limit:
                break
            cost = best[begin] + distance * distance
            if cost < cheapest:
                cheapest, cheapest_begin = cost, begin
        best[end] = cheapest + cut_costs[end - 1]
        begins[end] = cheapest_begin
    cuts: list[int] = []
    end = count
    while end:
        cuts.append(end)
        end = begins[end]
    cuts.reverse()
    return cuts
