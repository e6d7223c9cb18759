"""Penalties, biases and grammars: what changes the logits before a token is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import GrammarError
from inference.sampling.state import SamplingRow

# Far beyond any logit, and far enough from float32's limit (3.4e38) that differences are finite.
_LARGEST = 1e37


def adjusted(logits: Tensor, rows: Sequence[SamplingRow]) -> tuple[Tensor, dict[int, GrammarError]]:
    """Apply, in this order: repetition, presence and frequency penalty, bias, grammar.

    Args:
        logits: (rows, vocab), float32; left as they are.
        rows: whose logits these are.

    Returns:
        The scores to choose by (`logits` itself where nothing changes), and by row the errors of
        grammars beyond their limits.
    """
    if not any(row.state.is_adjusted for row in rows):
        return logits, {}
    scores = logits.clone()
    _penalize_repetition(scores, rows)
    _add(scores, _presence_and_frequency(rows))
    _add(scores, _biases(rows))
    return scores, _constrain(scores, rows)


class _Entries:
    """Single entries of a (rows, vocab) matrix with a value each; no entry twice."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.int64]] = []
        self._tokens: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float32]] = []

    def put(self, row: int, tokens: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        self._rows.append(np.full(len(tokens), row, dtype=np.int64))
        self._tokens.append(tokens)
        self._values.append(values)

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
        """Rows, tokens and values, each of one dimension; None where there is no entry."""
        if not self._rows:
            return None
        places = np.stack((np.concatenate(self._rows), np.concatenate(self._tokens)))
        row_ids, token_ids = torch.from_numpy(places).to(device)
        values = torch.from_numpy(np.concatenate(self._values)).to(device)
        return row_ids, token_ids, values


def _penalize_repetition(scores: Tensor, rows: Sequence[SamplingRow]) -> None:
    entries = _Entries()
    for at, (state, draft) in enumerate(rows):
        penalty = state.params.repetition_penalty
        if penalty != 1.0:
            tokens = state.seen_after(draft)
            factor = min(max(penalty, 1 / _LARGEST), _LARGEST)
            entries.put(at, tokens, np.full(len(tokens), factor, dtype=np.float32))
    found = entries.tensors(scores.device)
    if found is None:
        return
    row_ids, token_ids, penalties = found
    before = scores[row_ids, token_ids]
    after = torch.where(before > 0, before / penalties, before * penalties)
    scores[row_ids, token_ids] = after.clamp(-_LARGEST, _LARGEST)


def _presence_and_frequency(rows: Sequence[SamplingRow]) -> _Entries:
    entries = _Entries()
    for at, (state, draft) in enumerate(rows):
        params = state.params
        if params.presence_penalty != 0.0 or params.frequency_penalty != 0.0:
            counts = state.counts_after(draft)
            times = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
            off = params.presence_penalty + params.frequency_penalty * times
            entries.put(at, _keys(counts), (-off).astype(np.float32))
    return entries


def _biases(rows: Sequence[SamplingRow]) -> _Entries:
    entries = _Entries()
    for at, (state, _) in enumerate(rows):
        biases = state.params.logit_bias
        if biases:
            values = np.fromiter(biases.values(), dtype=np.float64, count=len(biases))
            values = values.clip(-_LARGEST, _LARGEST)
            entries.put(at, _keys(biases), values.astype(np.float32))
    return entries


def _keys(by_token: Mapping[int, float]) -> NDArray[np.int64]:
    return np.fromiter(by_token, dtype=np.int64, count=len(by_token))


def _add(scores: Tensor, entries: _Entries) -> None:
    found = entries.tensors(scores.device)
    if found is not None:
        row_ids, token_ids, values = found
        after = scores[row_ids, token_ids] + values
        scores[row_ids, token_ids] = after.clamp(-_LARGEST, _LARGEST)


def _constrain(scores: Tensor, rows: Sequence[SamplingRow]) -> dict[int, GrammarError]:
    """Make tokens impossible that a row's grammar forbids."""
    masks: dict[int, NDArray[np.int32]] = {}
    failures: dict[int, GrammarError] = {}
    for at, (state, draft) in enumerate(rows):
        if state.constraint is not None:
            try:
                masks[at] = state.constraint.mask_after(draft)
            except GrammarError as error:
                failures[at] = error
    if masks:
        row_ids = torch.tensor(list(masks), device=scores.device)
        bits = torch.from_numpy(np.stack(list(masks.values()))).to(scores.device)
        allowed = _unpacked(bits, scores.shape[-1])
        scores[row_ids] = scores[row_ids].masked_fill(~allowed, -torch.inf)
    return failures


def _unpacked(bits: Tensor, vocab_size: int) -> Tensor:
    """From (rows, words) of 32 bits each to (rows, vocab) booleans; unset beyond the words."""
    places = torch.arange(32, device=bits.device, dtype=torch.int32)
    flat = ((bits.unsqueeze(-1) >> places) & 1).bool().flatten(1)[:, :vocab_size]
    return torch.nn.functional.pad(flat, (0, vocab_size - flat.shape[-1]))
