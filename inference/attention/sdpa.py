"""Attention by PyTorch's `scaled_dot_product_attention`, a call for each sequence.

It serves on every device. Where a sequence's blocks follow one another its keys are a view of the
cache; otherwise they are gathered. Query heads that share a key head are laid into the query
length (two to three times faster on a CPU than `enable_gqa`), and a mask is always explicit unless
the sequence begins in the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from inference.attention.batch import Batch, Span, run_start
from inference.attention.interface import AttentionSpec, AttentionStep
from inference.kv_cache.cache import KVCache

# Rows of queries up to which the groups are folded: the mask is as many times larger.
_FOLDED_ROWS = 64
# Scores held at once where they are worked out in the open (a logit cap): 64 MiB in float32.
_OPEN_SCORES = 1 << 24


class SdpaAttention:
    """The backend; `begin` makes the attention of one step."""

    def __init__(self, cache: KVCache) -> None:
        self._cache = cache

    def begin(self, batch: Batch) -> AttentionStep:
        """The attention of a step over `batch`."""
        return _SdpaStep(self._cache, batch)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one sequence attends in the layers that share a window.

    Attributes:
        row: its first token in the batch.
        count: its tokens in the batch.
        first: slot of its first key, where its keys are a view.
        length: keys that it reads.
        slots: (length,) slots of its keys, where they are gathered.
        causal: it begins in this step, so that the mask is the plain triangle.
        mask: (count, length) to add to the scores; None: every key is seen.
    """

    row: int
    count: int
    first: int
    length: int
    slots: Tensor | None
    causal: bool
    mask: Tensor | None


class _SdpaStep:
    """Attention during one forward pass."""

    def __init__(self, cache: KVCache, batch: Batch) -> None:
        self._cache = cache
        self._batch = batch
        self._spans = SpanAttention(cache, batch.spans)

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `AttentionStep.attend`."""
        batch = self._batch
        self._cache.write(spec.layer, batch.slots, batch.first_slot, key, value)
        return self._spans.attend(spec, query)


class SpanAttention:
    """Attention of some of a step's sequences; their keys and values are in the cache already."""

    def __init__(self, cache: KVCache, spans: Sequence[Span]) -> None:
        self._cache = cache
        self._spans = spans
        self._plans: dict[int | None, list[_Plan]] = {}

    def attend(self, spec: AttentionSpec, query: Tensor, output: Tensor | None = None) -> Tensor:
        """Attend in the rows of the sequences.

        Args:
            spec: the layer's attention.
            query: (tokens, num_heads, head_dim) of the whole batch.
            output: the same shape; where to write, other rows left alone. None: a new one.
        """
        plans = self._plans.get(spec.sliding_window)
        if plans is None:
            plans = [self._plan(span, spec.sliding_window, query.dtype) for span in self._spans]
            self._plans[spec.sliding_window] = plans
        if output is None:
            if len(plans) == 1:
                return self._attend_one(spec, plans[0], query)
            output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        for plan in plans:
            rows = query.narrow(0, plan.row, plan.count)
            output.narrow(0, plan.row, plan.count).copy_(self._attend_one(spec, plan, rows))
        return output

    def _plan(self, span: Span, window: int | None, dtype: torch.dtype) -> _Plan:
        block_size = self._cache.block_size
        # The window's oldest key for the first query; older ones are not even read.
        oldest = 0 if window is None else max(span.start - window + 1, 0)
        length = span.length - oldest
        block_ids = span.block_ids[oldest // block_size :]
        offset = oldest % block_size
        first = run_start(block_ids)
        slots = None
        if first is None:
            table = torch.tensor(block_ids, device=self._cache.device).unsqueeze(1) * block_size
            within = torch.arange(block_size, device=self._cache.device)
            slots = (table + within).view(-1)[offset : offset + length]
        causal = span.start == 0 and (window is None or span.count <= window)
        mask = None
        if span.count > 1 and not causal:
            mask = _mask(span.count, length, window, dtype, self._cache.device)
        return _Plan(
            span.row, span.count, (first or 0) * block_size + offset, length, slots, causal, mask
        )

    def _attend_one(self, spec: AttentionSpec, plan: _Plan, query: Tensor) -> Tensor:
        key = self._read(self._cache.keys[spec.layer], plan, query.dtype)
        value = self._read(self._cache.values[spec.layer], plan, query.dtype)
        if spec.logit_softcap is not None:
            return _open_attention(spec, plan, query, key, value)
        groups = spec.num_heads // spec.num_kv_heads
        count = plan.count
        grouped = query.view(count, spec.num_kv_heads, groups, spec.head_dim)
        if count == 1:
            output = scaled_dot_product_attention(
                grouped, key.unsqueeze(0), value.unsqueeze(0), scale=spec.scale
            )
            return output.reshape(1, spec.num_heads, spec.head_dim)
        grouped = grouped.permute(1, 2, 0, 3)
        mask = plan.mask
        if mask is not None and count * groups <= _FOLDED_ROWS:
            folded = grouped.reshape(1, spec.num_kv_heads, groups * count, spec.head_dim)
            output = scaled_dot_product_attention(
                folded,
                key.unsqueeze(0),
                value.unsqueeze(0),
                attn_mask=mask.repeat(groups, 1),
                scale=spec.scale,
            ).view(grouped.shape)
        else:  # key heads as the batch: the group's keys are the same memory, not a copy
            output = scaled_dot_product_attention(
                grouped,
                key.unsqueeze(1).expand(-1, groups, -1, -1),
                value.unsqueeze(1).expand(-1, groups, -1, -1),
                attn_mask=mask,
                is_causal=plan.causal,
                scale=spec.scale,
            )
        return output.permute(2, 0, 1, 3).reshape(count, spec.num_heads, spec.head_dim)

    def _read(self, cached: Tensor, plan: _Plan, dtype: torch.dtype) -> Tensor:
        """(kv_heads, length, head_dim) of one sequence."""
        if plan.slots is not None:
            rows = cached.index_select(0, plan.slots)
        else:
            rows = cached.narrow(0, plan.first, plan.length)
        return rows.to(dtype).transpose(0, 1)


def _mask(
    count: int, length: int, window: int | None, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(count, length) of 0 and -inf: the last `count` of `length` positions, each seeing itself."""
    past = length - count
    mask = torch.full((count, length), -math.inf, dtype=dtype, device=device).triu_(past + 1)
    if window is not None:
        mask += torch.full_like(mask, -math.inf).tril_(past - window)
    return mask


def _open_attention(
    spec: AttentionSpec, plan: _Plan, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Attention with capped scores, which no fused kernel offers; float32 within."""
    groups = spec.num_heads // spec.num_kv_heads
    cap = spec.logit_softcap
    assert cap is not None
    queries = query.view(plan.count, spec.num_kv_heads, groups, spec.head_dim)
    keys = key.float().transpose(1, 2)
    values = value.float()
    output = torch.empty_like(query)
    rows_at_once = max(_OPEN_SCORES // (spec.num_heads * plan.length), 1)
    mask = plan.mask
    if plan.causal and plan.count > 1:
        mask = _mask(plan.count, plan.length, None, torch.float32, query.device)
    for first in range(0, plan.count, rows_at_once):
        some = queries[first : first + rows_at_once].float().permute(1, 2, 0, 3)
        count = some.shape[2]
        folded = some.reshape(spec.num_kv_heads, groups * count, spec.head_dim)
        scores = torch.matmul(folded, keys).mul_(spec.scale / cap).tanh_().mul_(cap)
        if mask is not None:
            scores += mask[first : first + count].repeat(groups, 1)
        part = torch.matmul(scores.softmax(dim=-1), values)
        part = part.view(some.shape).permute(2, 0, 1, 3)
        output[first : first + count] = part.reshape(count, spec.num_heads, spec.head_dim)
    return output
