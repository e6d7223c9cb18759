"""Decodes of several sequences in one product, their keys gathered and padded to one length."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from inference.attention.batch import Span
from inference.attention.interface import AttentionSpec
from inference.kv_cache.cache import KVCache

# On a CPU: keys * heads * head_dim of one sequence up to which gathering it costs less than a call
# of its own (some 20 microseconds).
_LEAST_WORTH_A_CALL = 32_768
# Elsewhere, where each call costs more: elements of all sequences together that may be gathered.
_MOST_GATHERED = 1 << 28


def worth_grouping(
    spans: Sequence[Span], spec: AttentionSpec, device: torch.device
) -> Sequence[Span]:
    """Which of the sequences to compute as a group; none, or at least two."""
    if spec.logit_softcap is not None:
        return ()
    width = spec.num_kv_heads * spec.head_dim
    window = spec.sliding_window
    most = _LEAST_WORTH_A_CALL // width
    if device.type != "cpu":
        most = _MOST_GATHERED // (width * len(spans))
    grouped = [
        span
        for span in spans
        if span.tokens == 1
        and (span.length if window is None else min(span.length, window)) <= most
    ]
    return grouped if len(grouped) > 1 else ()


class GatherBuffers:
    """Memory for gathered keys and values, kept from step to step.

    A CPU's allocator returns so much memory to the system each time it is freed, and page faults
    then cost more than the copy. Other devices keep it themselves.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def gather(self, name: str, rows: Tensor, index: Tensor) -> Tensor:
        """`rows` (rows, width) at `index`; overwritten by the next call with the same name."""
        if rows.device.type != "cpu":
            return rows.index_select(0, index)
        shape = (index.shape[0], rows.shape[1])
        size = shape[0] * shape[1]
        buffer = self._buffers.get(name)
        if buffer is None or buffer.numel() < size:
            buffer = torch.empty(1 << (size - 1).bit_length(), dtype=rows.dtype)
            self._buffers[name] = buffer
        return torch.index_select(rows, 0, index, out=buffer[:size].view(shape))


class DecodeGroup:
    """One token of each of several sequences.

    Attributes:
        count: the sequences.
        rows: (count,) their rows in the batch; None: the first ones, in order.
    """

    def __init__(
        self,
        cache: KVCache,
        buffers: GatherBuffers,
        spans: Sequence[Span],
        window: int | None,
        dtype: torch.dtype,
        *,
        padded: bool,
    ) -> None:
        """Work out what to gather; all layers with the same window share it.

        Args:
            cache: keys and values.
            buffers: where to gather.
            spans: the sequences, each with one token.
            window: keys that a query sees, itself included; None: all before it.
            dtype: of the queries.
            padded: pad to a power of two, so that few shapes occur.
        """
        size, device = cache.block_size, cache.device
        self._cache = cache
        self._buffers = buffers
        self.count = len(spans)
        self.rows: Tensor | None = None
        if [span.row for span in spans] != list(range(len(spans))):
            self.rows = torch.tensor([span.row for span in spans], device=device)
        oldest = [0 if window is None else max(span.length - window, 0) for span in spans]
        tables = [span.block_ids[old // size :] for span, old in zip(spans, oldest, strict=True)]
        width = max(len(table) for table in tables)
        if padded:
            width = 1 << (width - 1).bit_length()
        self._length = width * size
        padding = [[table[0]] * (width - len(table)) for table in tables]
        blocks = [[*table, *pad] for table, pad in zip(tables, padding, strict=True)]
        self._blocks = torch.tensor(blocks, device=device).view(-1)
        bounds = torch.tensor(
            [
                (old % size, span.length - old // size * size)
                for span, old in zip(spans, oldest, strict=True)
            ],
            device=device,
        )
        at = torch.arange(self._length, device=device)
        first, last = bounds[:, :1], bounds[:, 1:]
        hidden = (at < first) | (at >= last)
        mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, -math.inf)
        self._mask = mask[:, None, None, :]
        # What lies past a sequence's end may be anything, and 0 * NaN is NaN.
        self._stale = (at >= last).view(-1).nonzero().view(-1)

    def attend(self, spec: AttentionSpec, query: Tensor) -> Tensor:
        """Attend: (sequences, num_heads, head_dim) to the same."""
        count = query.shape[0]
        groups = spec.num_heads // spec.num_kv_heads
        return scaled_dot_product_attention(
            query.view(count, spec.num_kv_heads, groups, spec.head_dim),
            self._gather("keys", self._cache.keys[spec.layer], query.dtype),
            self._gather("values", self._cache.values[spec.layer], query.dtype),
            attn_mask=self._mask,
            scale=spec.scale,
        ).reshape(count, spec.num_heads, spec.head_dim)

    def _gather(self, name: str, cached: Tensor, dtype: torch.dtype) -> Tensor:
        """(sequences, kv_heads, length, head_dim)."""
        blocks = cached.view(self._cache.num_blocks, -1)
        gathered = self._buffers.gather(name, blocks, self._blocks)
        rows = gathered.view(self.count * self._length, -1).index_fill_(0, self._stale, 0.0)
        heads = rows.view(self.count, self._length, *cached.shape[1:]).transpose(1, 2)
        return heads if heads.dtype == dtype else heads.to(dtype)
