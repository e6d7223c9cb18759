"""Attention by PyTorch's `scaled_dot_product_attention`; it serves on every device.

Each sequence is a call of its own. Where its blocks follow one another its keys are a view of the
cache; otherwise they are gathered. Query heads that share a key head are laid into the query
length (two to three times faster on a CPU than `enable_gqa`). Decodes with little to read, where
the calls cost more than the products, are gathered into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from inference.attention.batch import Batch, Span, run_start
from inference.attention.capped import capped_attention
from inference.attention.decode_group import DecodeGroup, GatherBuffers, worth_grouping
from inference.attention.interface import AttentionSpec, AttentionStep
from inference.attention.masks import causal_mask
from inference.kv_cache.cache import KVCache

# Rows of queries up to which the groups are folded: the mask is as many times larger.
_FOLDED_ROWS = 64


class SdpaAttention:
    """The backend; `begin` makes the attention of one step.

    Attributes:
        padded: mask always, never `is_causal` (wrong in half precision on MPS, pytorch#195910), and
            pad keys to powers of two: MPS compiles its kernels for each shape.
    """

    def __init__(self, cache: KVCache, *, padded: bool = False) -> None:
        self._cache = cache
        self._buffers = GatherBuffers()
        self.padded = padded

    def begin(self, batch: Batch) -> AttentionStep:
        """The attention of a step over `batch`."""
        return _SdpaStep(self._cache, self._buffers, batch, padded=self.padded)


class _SdpaStep:
    """Attention during one forward pass."""

    def __init__(
        self, cache: KVCache, buffers: GatherBuffers, batch: Batch, *, padded: bool
    ) -> None:
        self._cache = cache
        self._batch = batch
        self._spans = SpanAttention(cache, buffers, batch.spans, padded=padded)

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `AttentionStep.attend`."""
        batch = self._batch
        self._cache.write(spec.layer, batch.slots, batch.first_slot, key, value)
        return self._spans.attend(spec, query)


@dataclass(frozen=True, slots=True)
class _SpanPlan:
    """How one sequence attends in layers with the same window.

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


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the sequences attend in layers that are alike: some as a group, others one by one."""

    group: DecodeGroup | None
    singles: list[_SpanPlan]


class SpanAttention:
    """Attention of some of a step's sequences; their keys and values are in the cache already."""

    def __init__(
        self,
        cache: KVCache,
        buffers: GatherBuffers,
        spans: Sequence[Span],
        *,
        padded: bool = False,
    ) -> None:
        self._cache = cache
        self._buffers = buffers
        self._spans = spans
        self._padded = padded
        self._plans: dict[tuple[int | None, int, int, bool], _Plan] = {}

    def attend(self, spec: AttentionSpec, query: Tensor, output: Tensor | None = None) -> Tensor:
        """Attend in the rows of the sequences.

        Args:
            spec: the layer's attention.
            query: (tokens, num_heads, head_dim) of the whole batch.
            output: the same shape; where to write, other rows left alone. None: a new one.
        """
        plan = self._plan(spec, query.dtype)
        group, singles = plan.group, plan.singles
        if output is None:
            if group is None and len(singles) == 1:
                return self._attend_one(spec, singles[0], query)
            if group is not None and not singles:
                return group.attend(spec, query)
            output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        if group is not None:
            rows = group.rows
            if rows is None:
                output[: group.count] = group.attend(spec, query[: group.count])
            else:
                output.index_copy_(0, rows, group.attend(spec, query.index_select(0, rows)))
        for single in singles:
            attended = self._attend_one(spec, single, query.narrow(0, single.row, single.count))
            output.narrow(0, single.row, single.count).copy_(attended)
        return output

    def _plan(self, spec: AttentionSpec, dtype: torch.dtype) -> _Plan:
        """What layers that are alike share, worked out for the first of them."""
        window, capped = spec.sliding_window, spec.logit_softcap is not None
        alike = (window, spec.num_kv_heads, spec.head_dim, capped)
        known = self._plans.get(alike)
        if known is not None:
            return known
        grouped = worth_grouping(self._spans, spec, self._cache.device)
        rows = {span.row for span in grouped}
        plan = _Plan(
            DecodeGroup(self._cache, self._buffers, grouped, window, dtype, padded=self._padded)
            if grouped
            else None,
            [
                self._plan_one(span, window, dtype, masked=self._padded or capped)
                for span in self._spans
                if span.row not in rows
            ],
        )
        self._plans[alike] = plan
        return plan

    def _plan_one(
        self, span: Span, window: int | None, dtype: torch.dtype, *, masked: bool
    ) -> _SpanPlan:
        size, device = self._cache.block_size, self._cache.device
        # The window's oldest key for the first query; older ones are not even read.
        oldest = 0 if window is None else max(span.start - window + 1, 0)
        length = span.length - oldest
        block_ids = span.block_ids[oldest // size :]
        offset = oldest % size
        first = None if self._padded else run_start(block_ids)
        slots, padding = None, 0
        if first is None:
            table = torch.tensor(block_ids, device=device).unsqueeze(1) * size
            slots = (table + torch.arange(size, device=device)).view(-1)[offset : offset + length]
            if self._padded:  # with the first key once more, which is a number for sure
                padding = (1 << (length - 1).bit_length()) - length
                slots = torch.cat([slots, slots[:1].expand(padding)])
        causal = span.start == 0 and (window is None or span.tokens <= window) and not masked
        mask = None
        if padding or (span.tokens > 1 and not causal):
            mask = causal_mask(
                span.tokens, length, window=window, padding=padding, dtype=dtype, device=device
            )
        first_slot = (first or 0) * size + offset
        return _SpanPlan(span.row, span.tokens, first_slot, length, slots, causal, mask)

    def _attend_one(self, spec: AttentionSpec, plan: _SpanPlan, query: Tensor) -> Tensor:
        cache, layer = self._cache, spec.layer
        key = _read(cache.key_heads[layer], plan, query.dtype)
        value = _read(cache.value_heads[layer], plan, query.dtype)
        if spec.logit_softcap is not None:
            return capped_attention(spec, query, key[0], value[0], plan.mask)
        kv_heads, count = spec.num_kv_heads, plan.count
        groups = spec.num_heads // kv_heads
        grouped = query.view(count, kv_heads, groups, spec.head_dim)
        if count == 1:
            output = scaled_dot_product_attention(
                grouped, key, value, attn_mask=plan.mask, scale=spec.scale
            )
            return output.reshape(1, spec.num_heads, spec.head_dim)
        grouped = grouped.permute(1, 2, 0, 3)
        mask = plan.mask
        if mask is not None and count * groups <= _FOLDED_ROWS:
            folded = grouped.reshape(1, kv_heads, groups * count, spec.head_dim)
            output = scaled_dot_product_attention(
                folded, key, value, attn_mask=mask.repeat(groups, 1), scale=spec.scale
            ).view(grouped.shape)
        else:  # key heads as the batch: a group's keys are the same memory, not copies
            output = scaled_dot_product_attention(
                grouped,
                key.transpose(0, 1).expand(-1, groups, -1, -1),
                value.transpose(0, 1).expand(-1, groups, -1, -1),
                attn_mask=mask,
                is_causal=plan.causal,
                scale=spec.scale,
            )
        return output.permute(2, 0, 1, 3).reshape(count, spec.num_heads, spec.head_dim)


def _read(heads: Tensor, plan: _SpanPlan, dtype: torch.dtype) -> Tensor:
    """(1, kv_heads, length, head_dim) of one sequence."""
    if plan.slots is not None:
        read = heads[0].transpose(0, 1).index_select(0, plan.slots).transpose(0, 1).unsqueeze(0)
    else:
        read = heads.narrow(2, plan.first, plan.length)
    return read if read.dtype == dtype else read.to(dtype)
