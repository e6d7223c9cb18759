"""The curve of false refusals against wrong answers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.refusal import equal_error, refusal_curve, thinned

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_scores_that_are_apart_are_told_apart() -> None:
    best = equal_error(refusal_curve([0.8, 0.9], [0.1, 0.2]))

    assert (best.false_refusals, best.wrong_answers) == (0.0, 0.0)
    assert 0.2 < best.threshold <= 0.8


def test_scores_that_are_the_same_cannot_be_told_apart() -> None:
    best = equal_error(refusal_curve([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]))

    assert best.false_refusals + best.wrong_answers == 1.0


@given(SCORES, SCORES)
def test_a_stricter_threshold_refuses_more_and_answers_less(
    own: list[float], others: list[float]
) -> None:
    curve = refusal_curve(own, others)

    for point, stricter in pairwise(curve):
        assert stricter.false_refusals >= point.false_refusals
        assert stricter.wrong_answers <= point.wrong_answers
    assert (curve[0].false_refusals, curve[0].wrong_answers) == (0.0, 1.0)
    assert (curve[-1].false_refusals, curve[-1].wrong_answers) == (1.0, 0.0)
    assert set(thinned(curve)) <= set(curve)
