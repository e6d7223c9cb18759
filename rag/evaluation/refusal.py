"""How well answerable questions are told from others, as a curve over a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one threshold does.

    Attributes:
        threshold: questions that score below it are refused.
        false_refusals: share of the answerable questions that are refused.
        wrong_answers: share of the unanswerable questions that are answered.
    """

    threshold: float
    false_refusals: float
    wrong_answers: float


def refusal_curve(answerable: Sequence[float], unanswerable: Sequence[float]) -> list[CurvePoint]:
    """Return a point for each score at which something changes, thresholds ascending.

    Args:
        answerable: scores of questions that the books answer; at least one.
        unanswerable: scores of questions that they do not; at least one.
    """
    thresholds = sorted({*answerable, *unanswerable})
    thresholds.append(thresholds[-1] + 1.0)
    return [
        CurvePoint(
            threshold,
            sum(score < threshold for score in answerable) / len(answerable),
            sum(score >= threshold for score in unanswerable) / len(unanswerable),
        )
        for threshold in thresholds
    ]


def equal_error(curve: Sequence[CurvePoint]) -> CurvePoint:
    """Return the point at which both errors are closest to equal."""
    return min(
        curve,
        key=lambda point: (
            abs(point.false_refusals - point.wrong_answers),
            point.false_refusals + point.wrong_answers,
        ),
    )


def thinned(curve: Sequence[CurvePoint], points: int = 21) -> list[CurvePoint]:
    """Return points spread evenly over the share of false refusals."""
    kept: list[CurvePoint] = []
    for point in curve:
        if not kept or point.false_refusals - kept[-1].false_refusals >= 1 / (points - 1):
            kept.append(point)
    return kept if kept[-1] == curve[-1] else [*kept, curve[-1]]
