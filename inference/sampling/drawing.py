"""Draws tokens at random: temperature, top-k, top-p and min-p over a whole batch.

A row is filtered by one cutoff: the lowest score that every filter keeps. Tokens that tie with the
last one kept are kept too, so that what remains does not depend on the order of sorting. The draw
then inverts the cumulative distribution in the order of token ids, in float64, with the row's own
random number.

Sorting 150,000 scores is avoided: the cutoff nearly always lies among the 256 likeliest tokens. The
rare row for which it does not is sorted whole, with the same outcome. Running sums over a whole
vocabulary are taken in two steps, over blocks and within one block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inference.sampling.state import SamplingRow

_CANDIDATES = 256
_BLOCK = 512
_AT_ONCE = 1 << 19  # scores that stay in a processor's cache between one step and the next
_COLDEST = 1e-30  # lower temperatures than this change nothing
_BELOW_ONE = 1.0 - 2.0**-50


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
    at_once = len(rows)
    if scores.device.type == "cpu":
        at_once = max(1, _AT_ONCE // scores.shape[-1])
    parts = [
        _draw_part(scores[start : start + at_once], rows[start : start + at_once])
        for start in range(0, len(rows), at_once)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _draw_part(scores: Tensor, rows: Sequence[SamplingRow]) -> Tensor:
    numbers = _numbers(rows, scores.device)
    scaled = _scaled(scores, numbers)
    ranked = [at for at, row in enumerate(rows) if _needs_ranking(row)]
    if not ranked:
        return _draw_above(scaled, numbers.log_min_p, numbers.uniform)
    if len(ranked) == len(rows):
        return _draw_ranked(scaled, numbers)
    tokens = torch.empty(len(rows), dtype=torch.int64, device=scaled.device)
    first = torch.tensor(ranked, device=scaled.device)
    tokens[first] = _draw_ranked(scaled[first], numbers.of(first))
    others = [at for at in range(len(rows)) if at not in set(ranked)]
    second = torch.tensor(others, device=scaled.device)
    rest = numbers.of(second)
    tokens[second] = _draw_above(scaled[second], rest.log_min_p, rest.uniform)
    return tokens


class _Numbers(NamedTuple):
    """The rows' parameters; each (rows, 1). `top_k` is int64 and 0 for all tokens, `top_p` and
    `uniform` are float64, the others float32."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    log_min_p: Tensor
    uniform: Tensor

    def of(self, rows: Tensor) -> _Numbers:
        """Those of some rows."""
        return _Numbers(*(column[rows] for column in self))


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
    return _Numbers(temperature.float(), top_k.long(), top_p, log_min_p.float(), uniform)


def _needs_ranking(row: SamplingRow) -> bool:
    return row.state.params.top_k > 0 or row.state.params.top_p < 1.0


def _scaled(scores: Tensor, numbers: _Numbers) -> Tensor:
    """Logarithms of the probabilities relative to the likeliest token's: at most 0."""
    highest = scores.amax(dim=-1, keepdim=True)
    return (scores - highest).div_(numbers.temperature)


def _draw_ranked(scaled: Tensor, numbers: _Numbers) -> Tensor:
    vocab_size = scaled.shape[-1]
    whole = scaled.exp().sum(dim=-1, keepdim=True).double()
    values, ids = scaled.topk(min(_CANDIDATES, vocab_size), dim=-1)
    cutoff = _cutoff(values, whole, numbers)
    by_id = ids.argsort(dim=-1)
    kept = _weights(values, cutoff).gather(-1, by_id)
    tokens = ids.gather(-1, by_id).gather(-1, _invert(kept, numbers.uniform)).squeeze(-1)
    if vocab_size > _CANDIDATES:
        open_ended = (cutoff <= values[:, -1:]) | (numbers.top_k > _CANDIDATES)
        again = open_ended.squeeze(-1).nonzero().squeeze(-1)
        if again.numel():
            rest = numbers.of(again)
            cutoff = _cutoff(_descending(scaled[again]), whole[again], rest)
            tokens[again] = _draw_above(scaled[again], cutoff, rest.uniform)
    return tokens


def _cutoff(values: Tensor, whole: Tensor, numbers: _Numbers) -> Tensor:
    """The lowest score that every filter keeps.

    Args:
        values: (rows, n), the highest scores, highest first.
        whole: (rows, 1), sum of all weights of each row.
        numbers: the rows' parameters.

    Returns:
        (rows, 1), float32; the last of the values where more of them are needed to tell.
    """
    count = values.shape[-1]
    limited = numbers.top_k > 0
    by_k = values.gather(-1, (numbers.top_k - 1).clamp(0, count - 1))
    by_k = torch.where(limited, by_k, -torch.inf)
    sums = torch.where(values >= by_k, values.double().exp(), 0.0).cumsum(dim=-1)
    goal = numbers.top_p * torch.where(limited, sums[:, -1:], whole)
    by_p = values.gather(-1, (sums < goal).sum(dim=-1, keepdim=True).clamp(max=count - 1))
    by_p = torch.where(numbers.top_p < 1.0, by_p, -torch.inf)
    return torch.maximum(torch.maximum(by_k, by_p), numbers.log_min_p)


def _descending(scaled: Tensor) -> Tensor:
    if scaled.device.type == "cpu":  # NumPy sorts with vector instructions: 16 times as fast
        return torch.from_numpy(np.sort(scaled.numpy(), axis=-1)).flip(-1)
    return scaled.sort(dim=-1, descending=True).values


def _weights(scaled: Tensor, cutoff: Tensor) -> Tensor:
    return torch.where(scaled >= cutoff, scaled.exp(), 0.0)


def _draw_above(scaled: Tensor, cutoff: Tensor, uniform: Tensor) -> Tensor:
    """Draw among all tokens that reach the cutoff: first a block of them, then one in it."""
    weights = _weights(scaled, cutoff)
    padding = -weights.shape[-1] % _BLOCK
    blocks = torch.nn.functional.pad(weights, (0, padding)).view(len(weights), -1, _BLOCK)
    sums = blocks.sum(dim=-1)
    block = _invert(sums, uniform)
    before = sums.double().cumsum(dim=-1)
    goal = uniform * before[:, -1:] - (before - sums).gather(-1, block)
    within = (goal / sums.gather(-1, block)).clamp(0.0, _BELOW_ONE)
    chosen = blocks.gather(1, block.unsqueeze(-1).expand(-1, -1, _BLOCK)).squeeze(1)
    return (block * _BLOCK + _invert(chosen, within)).squeeze(-1)


def _invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first place at which the running sum exceeds the given share of the whole.

    Args:
        weights: (rows, n), not negative.
        uniform: (rows, 1), in [0, 1).

    Returns:
        (rows, 1), int64; always a place of positive weight, if there is any.
    """
    sums = weights.cumsum(dim=-1, dtype=torch.float64)
    places = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    return places.clamp(max=weights.shape[-1] - 1)
