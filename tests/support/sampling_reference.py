"""What sampling should do, written plainly and slowly in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.requests import SamplingParams


def scores(
    logits: NDArray[np.float32],
    params: SamplingParams,
    prompt: Sequence[int],
    output: Sequence[int],
) -> NDArray[np.float64]:
    """The logits after penalties and biases."""
    adjusted = logits.astype(np.float64)
    for token in {*prompt, *output}:
        if adjusted[token] > 0:
            adjusted[token] /= params.repetition_penalty
        else:
            adjusted[token] *= params.repetition_penalty
    for token in set(output):
        adjusted[token] -= params.presence_penalty
        adjusted[token] -= params.frequency_penalty * list(output).count(token)
    for token, bias in params.logit_bias.items():
        adjusted[token] += bias
    return adjusted


def distribution(adjusted: NDArray[np.float64], params: SamplingParams) -> NDArray[np.float64]:
    """The probability of each token, after temperature and filters."""
    scaled = (adjusted - adjusted.max()) / params.temperature
    weights = np.exp(scaled)
    kept = weights >= 0
    if params.top_k:
        kept &= scaled >= np.sort(scaled)[::-1][min(params.top_k, len(scaled)) - 1]
    if params.top_p < 1.0:
        whole = weights[kept].sum()
        reached = 0.0
        for token in np.argsort(-scaled, kind="stable"):
            reached += weights[token] if kept[token] else 0.0
            if reached >= params.top_p * whole:
                kept &= scaled >= scaled[token]
                break
    if params.min_p:
        kept &= scaled >= math.log(params.min_p)
    weights = np.where(kept, weights, 0.0)
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


def drawn(chances: NDArray[np.float64], uniform: float) -> tuple[int, float]:
    """The token at which the running sum passes the number, and how near the next one is."""
    sums = np.cumsum(chances)
    token = int(np.searchsorted(sums, uniform, side="right"))
    nearest = float(np.abs(sums - uniform).min())
    return min(token, len(chances) - 1), nearest
