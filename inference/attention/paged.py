"""Attention on CUDA by Triton's kernels for single tokens, by SDPA for prefill."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.attention.batch import Batch, Span
from inference.attention.decode_group import GatherBuffers
from inference.attention.interface import AttentionSpec, AttentionStep
from inference.attention.sdpa import SpanAttention
from inference.kernels.cache_write import write_cache
from inference.kernels.paged_decode import PagedRows, paged_decode, split_count
from inference.kernels.rotary_write import Rotated, rotate_and_write
from inference.kv_cache.cache import KVCache

# A sequence with up to this many tokens in a step (a decode, drafts to verify) is computed token
# by token: each reads the context again, which is cheaper than a masked product of few rows.
MAX_DECODE_TOKENS = 16


class PagedAttention:
    """The backend; `begin` makes the attention of one step."""

    def __init__(self, cache: KVCache) -> None:
        self._cache = cache

    def begin(self, batch: Batch) -> AttentionStep:
        """The attention of a step over `batch`."""
        return _MixedStep(self._cache, batch)


class PagedStep:
    """Attention of a step in which every token is a row of its own.

    A row sees what rows of the same sequence before it have written in the same step.
    """

    def __init__(self, cache: KVCache, slots: Tensor, rows: PagedRows) -> None:
        """Make a step; the tensors may be filled anew and the step used again (CUDA graphs).

        Args:
            cache: keys and values.
            slots: (rows,) int64.
            rows: where the keys of each row lie.
        """
        self._cache = cache
        self._slots = slots
        self._rows = rows

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `AttentionStep.attend`."""
        keys, values = self._cache.keys[spec.layer], self._cache.values[spec.layer]
        write_cache(keys, values, self._slots, key, value)
        return self._decode(spec, query)

    def attend_heads(self, spec: AttentionSpec, heads: Tensor, rotated: Rotated) -> Tensor:
        """Attend with heads as they come from their projection.

        Args:
            spec: the layer's attention.
            heads: (tokens, num_heads + 2 * num_kv_heads, head_dim): queries, keys, values.
            rotated: the norm and the rotation of queries and keys.

        Returns:
            (tokens, num_heads, head_dim).
        """
        keys, values = self._cache.keys[spec.layer], self._cache.values[spec.layer]
        query = rotate_and_write(heads, spec.num_heads, rotated, keys, values, self._slots)
        return self._decode(spec, query)

    def _decode(self, spec: AttentionSpec, query: Tensor) -> Tensor:
        keys, values = self._cache.keys[spec.layer], self._cache.values[spec.layer]
        splits = split_count(query.shape[0], spec.num_kv_heads, _processors(query.device))
        return paged_decode(spec, query, keys, values, self._rows, splits)


class _MixedStep:
    """Attention of a step with prefill chunks, and single tokens beside them."""

    def __init__(self, cache: KVCache, batch: Batch) -> None:
        self._cache = cache
        self._batch = batch
        few = [span for span in batch.spans if span.tokens <= MAX_DECODE_TOKENS]
        many = [span for span in batch.spans if span.tokens > MAX_DECODE_TOKENS]
        self._prefill = SpanAttention(cache, GatherBuffers(), many) if many else None
        self._few_rows: Tensor | None = None
        self._rows: PagedRows | None = None
        if few:
            device = cache.device
            positions = batch.positions
            if many:
                rows = [row for span in few for row in range(span.row, span.row + span.tokens)]
                self._few_rows = torch.tensor(rows, dtype=torch.int64, device=device)
                positions = positions[self._few_rows]
            tables = torch.tensor(padded_tables(few), dtype=torch.int32, device=device)
            self._rows = PagedRows(tables, positions, cache.block_size)

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `AttentionStep.attend`."""
        keys, values = self._cache.keys[spec.layer], self._cache.values[spec.layer]
        write_cache(keys, values, self._batch.slots, key, value)
        if self._prefill is None:
            return self._decode(spec, query)
        output = torch.empty(query.shape, dtype=query.dtype, device=query.device)
        self._prefill.attend(spec, query, output)
        if self._few_rows is not None:
            output.index_copy_(0, self._few_rows, self._decode(spec, query[self._few_rows]))
        return output

    def _decode(self, spec: AttentionSpec, query: Tensor) -> Tensor:
        assert self._rows is not None
        keys, values = self._cache.keys[spec.layer], self._cache.values[spec.layer]
        splits = split_count(query.shape[0], spec.num_kv_heads, _processors(query.device))
        return paged_decode(spec, query, keys, values, self._rows, splits)


def padded_tables(spans: Sequence[Span]) -> list[list[int]]:
    """A block table for each token of the sequences, all of the same length.

    That is a multiple of 16: Triton compiles a kernel anew for a stride that is not.
    """
    width = -(-max(len(span.block_ids) for span in spans) // 16) * 16
    return [
        [*span.block_ids, *[0] * (width - len(span.block_ids))]
        for span in spans
        for _ in range(span.tokens)
    ]


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 8  # Triton's interpreter
    return torch.cuda.get_device_properties(device).multi_processor_count
