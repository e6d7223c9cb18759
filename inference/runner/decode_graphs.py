"""Decode steps as CUDA graphs: one launch in place of hundreds.

A graph replays the kernels that were recorded, on the same memory. So a step's tokens, positions,
slots and block tables are written into tensors that stay, and rows are padded to the next size for
which there is a graph; padding computes token 0 into a block that nobody reads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from inference.attention.batch import Layout
from inference.attention.paged import MAX_DECODE_TOKENS, PagedStep
from inference.kernels.paged_decode import PagedRows
from inference.kv_cache.cache import KVCache
from inference.models.base import CausalLM
from inference.runner.greedy import greedy_tokens

log = logging.getLogger(__name__)

Replay = Callable[[], None]
Record = Callable[[Callable[[], Any]], tuple[Replay, Any]]
"""Makes, of a function that launches kernels, what launches them again, and the output."""

GRAPH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Steps of a size before it gets its graph; some sizes occur only in passing.
_EAGER_STEPS = 3


class DecodeInputs:
    """The tensors that a graph reads, and their counterparts on the host."""

    def __init__(self, cache: KVCache, *, max_blocks: int, scratch_block: int) -> None:
        """Reserve them.

        Args:
            cache: keys and values.
            max_blocks: blocks of the longest sequence.
            scratch_block: a block of the cache for padding to write to.
        """
        most = GRAPH_ROWS[-1]
        self._scratch_block = scratch_block
        self._block_size = cache.block_size
        self._pinned = cache.device.type == "cuda"
        self._numbers = torch.zeros(3 * most, dtype=torch.int64, device=cache.device)
        self.tables = torch.full(
            (most, max_blocks), scratch_block, dtype=torch.int32, device=cache.device
        )
        self._host_numbers = self._host(3 * most, torch.int64)
        self._host_tables = self._host(most * max_blocks, torch.int32).view(most, max_blocks)
        self._last_tables: list[list[int]] = []
        self._copied = torch.cuda.Event() if self._pinned else None  # type: ignore[no-untyped-call]

    def views(self, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids, positions and slots of a graph with that many rows."""
        token_ids, positions, slots = self._numbers[: 3 * rows].view(3, rows)
        return token_ids, positions, slots

    def fill(self, layout: Layout, rows: int) -> None:
        """Write a step's inputs, padded to `rows`."""
        if self._copied is not None:
            self._copied.synchronize()  # the last step's copies may still read the host's memory
        padding = rows - len(layout.token_ids)
        zeros = [0] * padding
        slots = [*layout.slots, *[self._scratch_block * self._block_size] * padding]
        numbers = [*layout.token_ids, *zeros, *layout.positions, *zeros, *slots]
        size = 3 * rows
        self._host_numbers[:size] = torch.tensor(numbers, dtype=torch.int64)
        self._numbers[:size].copy_(self._host_numbers[:size], non_blocking=True)
        tables = [list(span.block_ids) for span in layout.spans for _ in range(span.tokens)]
        tables += [[self._scratch_block]] * padding
        if tables != self._last_tables:
            self._copy_tables(tables)
        if self._copied is not None:
            self._copied.record()

    def _copy_tables(self, tables: list[list[int]]) -> None:
        known = len(self._last_tables)
        width = 0
        for row, table in enumerate(tables):
            if row >= known or table != self._last_tables[row]:
                self._host_tables[row, : len(table)] = torch.tensor(table, dtype=torch.int32)
            width = max(width, len(table))
        rows = len(tables)
        self.tables[:rows, :width].copy_(self._host_tables[:rows, :width], non_blocking=True)
        self._last_tables = tables

    def _host(self, size: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(size, dtype=dtype, pin_memory=self._pinned)


class DecodeOutput(NamedTuple):
    """What a step of decodes gives; the next step overwrites it.

    Attributes:
        logits: (tokens, vocab).
        likeliest: (tokens,) int64, the greedy choice as `greedy_tokens` makes it.
    """

    logits: Tensor
    likeliest: Tensor


class DecodeGraphs:
    """Runs steps of few tokens for each sequence as graphs."""

    def __init__(
        self,
        model: CausalLM,
        cache: KVCache,
        *,
        max_model_len: int,
        scratch_block: int,
        record: Record,
    ) -> None:
        """Prepare; graphs are recorded as they are needed.

        Args:
            model: the model.
            cache: keys and values.
            max_model_len: tokens of the longest sequence.
            scratch_block: a block of the cache for padding to write to.
            record: makes the graphs.
        """
        self._model = model
        self._cache = cache
        self._record = record
        max_blocks = -(-max_model_len // (16 * cache.block_size)) * 16  # as in `padded_tables`
        self._inputs = DecodeInputs(cache, max_blocks=max_blocks, scratch_block=scratch_block)
        self._graphs: dict[int, tuple[Replay, DecodeOutput]] = {}
        self._seen: dict[int, int] = {}
        self._failed = False

    def run(self, layout: Layout) -> DecodeOutput | None:
        """Run a step; None: there is no graph for it, run it plainly."""
        rows = self._rows_for(layout)
        if rows is None:
            return None
        if rows not in self._graphs:
            self._seen[rows] = self._seen.get(rows, 0) + 1
            if self._seen[rows] <= _EAGER_STEPS or not self.record(rows):
                return None
        replay, output = self._graphs[rows]
        self._inputs.fill(layout, rows)
        replay()
        count = len(layout.token_ids)
        return DecodeOutput(output.logits[:count], output.likeliest[:count])

    def record_next(self) -> bool:
        """Record the smallest graph that is missing; False: none is, or one could not be."""
        for rows in GRAPH_ROWS:
            if rows not in self._graphs:
                return self.record(rows)
        return False

    def record(self, rows: int) -> bool:
        """Record the graph for that many rows; False: it cannot be."""
        if self._failed:
            return False
        token_ids, positions, slots = self._inputs.views(rows)
        tables = self._inputs.tables[:rows]
        paged = PagedRows(tables, positions, self._cache.block_size)
        step = PagedStep(self._cache, slots, paged)

        def compute() -> DecodeOutput:
            logits = self._model.logits(self._model(token_ids, positions, step))
            return DecodeOutput(logits, greedy_tokens(logits))

        self._inputs.fill(Layout([], [], [], []), rows)
        try:
            self._graphs[rows] = self._record(compute)
        except RuntimeError:  # out of memory, or a library that waits for the host
            self._failed = True
            log.warning("decode steps run without CUDA graphs from now on", exc_info=True)
            return False
        return True

    def _rows_for(self, layout: Layout) -> int | None:
        count = len(layout.token_ids)
        if count > GRAPH_ROWS[-1] or any(span.tokens > MAX_DECODE_TOKENS for span in layout.spans):
            return None
        return next(rows for rows in GRAPH_ROWS if rows >= count)


class CudaRecorder:
    """Records CUDA graphs that share their memory: only one of them runs at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, compute: Callable[[], Any]) -> tuple[Replay, Any]:
        """Record what `compute` launches."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            compute()  # libraries and Triton get ready, which a recording does not allow
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            graph,
            pool=self._pool,
            capture_error_mode="thread_local",  # other threads may go on using the device
        ):
            output = compute()
        return graph.replay, output
