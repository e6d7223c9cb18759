"""Draws tokens at random: temperature, top-k, top-p and min-p over a whole batch.

A row is filtered by one cutoff: the lowest score that every filter keeps. Tokens that tie with the
last one kept are kept too, so that what remains does not depend on the order of sorting. The draw
then inverts the cumulative distribution in the order of token ids, in float64, with the row's own
random number.

Sorting 150,000 scores is avoided: the cutoff nearly always lies among the 256 likeliest tokens. The
rare row for which it does not is drawn again by sorting it whole, with the same outcome as if that
had been done at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inference.sampling.state import SamplingRow

_CANDIDATES = 256
_COLDEST = 1e-30  # lower temperatures than this change nothing
_UNDECIDED = -2


def draw(scores: Tensor, rows: Sequence[SamplingRow]) -> Tensor:
    """Draw a token for each row.

    The filters apply in this order: top-k, then top-p over the probabilities of what is left, then
    min-p relative to the likeliest token; all after temperature.

    Args:
        scores: (rows, vocab), float32; impossible tokens are minus infinity.
        rows: whose they are; temperatures above 0.

    Returns:
        (rows), int64, on the device of the scores, or on the CPU where that has no float64 (MPS).
    """
    if scores.device.type == "mps":
        scores = scores.cpu()
    numbers = _numbers(rows, scores.device)
    scaled = _scaled(scores, numbers)
    ranked = [at for at, row in enumerate(rows) if _needs_ranking(row)]
    if not ranked:
        return _draw_unranked(scaled, numbers)
    if len(ranked) == len(rows):
        return _draw_ranked(scaled, numbers)
    tokens = torch.empty(len(rows), dtype=torch.int64, device=scaled.device)
    chosen = set(ranked)
    for places, drawer in (
        (ranked, _draw_ranked),
        ([at for at in range(len(rows)) if at not in chosen], _draw_unranked),
    ):
        picked = torch.tensor(places, device=scaled.device)
        tokens[picked] = drawer(scaled[picked], _Numbers(*(column[picked] for column in numbers)))
    return tokens


class _Numbers(NamedTuple):
    """The rows' parameters; each (rows, 1), float64, but `top_k`, int64."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    log_min_p: Tensor
    uniform: Tensor


def _numbers(rows: Sequence[SamplingRow], device: torch.device) -> _Numbers:
    table = [
        (
            max(params.temperature, _COLDEST),
            params.top_k,
            params.top_p,
            math.log(params.min_p) if params.min_p > 0.0 else -math.inf,
            state.uniform(len(draft)),
        )
        for state, draft in rows
        for params in (state.params,)
    ]
    columns = torch.tensor(table, dtype=torch.float64, device=device).T.unsqueeze(-1)
    temperature, top_k, top_p, log_min_p, uniform = columns
    return _Numbers(temperature, top_k.long(), top_p, log_min_p, uniform)


def _needs_ranking(row: SamplingRow) -> bool:
    return row.state.params.top_k > 0 or row.state.params.top_p < 1.0


def _scaled(scores: Tensor, numbers: _Numbers) -> Tensor:
    """Logarithms of the probabilities relative to the likeliest token's: at most 0."""
    highest = scores.amax(dim=-1, keepdim=True)
    return (scores - highest) / numbers.temperature.float()


def _draw_unranked(scaled: Tensor, numbers: _Numbers) -> Tensor:
    kept = scaled >= numbers.log_min_p
    return _invert(torch.where(kept, scaled.exp(), 0.0), numbers.uniform)


def _draw_ranked(scaled: Tensor, numbers: _Numbers) -> Tensor:
    tokens = _draw_among(scaled, numbers, min(_CANDIDATES, scaled.shape[-1]))
    undecided = (tokens == _UNDECIDED).nonzero().squeeze(-1)
    if undecided.numel():
        again = _Numbers(*(column[undecided] for column in numbers))
        tokens[undecided] = _draw_among(scaled[undecided], again, scaled.shape[-1])
    return tokens


def _draw_among(scaled: Tensor, numbers: _Numbers, count: int) -> Tensor:
    """Draw among each row's likeliest tokens; -2 where more of them are needed to tell.

    Args:
        scaled: (rows, vocab).
        numbers: the rows' parameters.
        count: how many candidates to look at.
    """
    vocab_size = scaled.shape[-1]
    values, ids = scaled.topk(count, dim=-1)
    top_k = torch.where(numbers.top_k > 0, numbers.top_k, vocab_size).clamp(max=vocab_size)
    limited = numbers.top_k > 0
    by_k = values.gather(-1, (top_k - 1).clamp(max=count - 1))
    by_k = torch.where(limited, by_k, -torch.inf)

    weights = values.double().exp()
    within = torch.where(values >= by_k, weights, 0.0).cumsum(dim=-1)
    whole = scaled.exp().sum(dim=-1, keepdim=True, dtype=torch.float64)
    goal = numbers.top_p * torch.where(limited, within[:, -1:], whole)
    last = (within < goal).sum(dim=-1, keepdim=True)
    by_p = values.gather(-1, last.clamp(max=count - 1))
    by_p = torch.where(numbers.top_p < 1.0, by_p, -torch.inf)

    cutoff = torch.maximum(torch.maximum(by_k, by_p), numbers.log_min_p.float())
    by_id = ids.argsort(dim=-1)
    kept = torch.where(values >= cutoff, weights, 0.0).gather(-1, by_id)
    tokens = ids.gather(-1, by_id).gather(-1, _invert(kept, numbers.uniform).unsqueeze(-1))
    if count < vocab_size:
        undecided = (cutoff <= values[:, -1:]) | (limited & (top_k > count))
        tokens = torch.where(undecided, _UNDECIDED, tokens)
    return tokens.squeeze(-1)


def _invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first place at which the running sum exceeds the given share of the whole.

    Args:
        weights: (rows, n), not negative.
        uniform: (rows, 1), in [0, 1).

    Returns:
        (rows), int64; always a place of positive weight, if there is any.
    """
    sums = weights.cumsum(dim=-1, dtype=torch.float64)
    places = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    return places.clamp(max=weights.shape[-1] - 1).squeeze(-1)
