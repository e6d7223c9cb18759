"""One forward pass of the model over a batch of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inference.attention.batch import Span, lay_out
from inference.attention.selection import select_backend
from inference.errors import DeviceError
from inference.kernels.availability import triton_serves
from inference.kv_cache.cache import DEFAULT_BLOCK_SIZE, KVCache
from inference.models.base import CausalLM
from inference.runner.greedy import greedy_tokens
from inference.runner.slices import SequenceSlice

if TYPE_CHECKING:
    from inference.runner.decode_graphs import DecodeGraphs


class ModelRunner:
    """Holds the model and its cache of keys and values, and computes logits.

    Used from one thread at a time.

    Attributes:
        cache: keys and values; the caller says which blocks a sequence has.
    """

    def __init__(
        self,
        model: CausalLM,
        *,
        num_blocks: int,
        device: torch.device,
        dtype: torch.dtype,
        block_size: int = DEFAULT_BLOCK_SIZE,
        max_model_len: int | None = None,
    ) -> None:
        """Reserve the cache.

        Args:
            model: the model, on `device`.
            num_blocks: blocks of the cache.
            device: where to compute.
            dtype: of the cached keys and values.
            block_size: positions in a block.
            max_model_len: tokens of the longest sequence; None: what the model was made for.

        Raises:
            DeviceError: the cache does not fit the device.
        """
        self._model = model
        self._device = device
        self._max_model_len = max_model_len or model.config.context_tokens
        graphs = triton_serves(device.type) and device.type == "cuda" and model.graph_safe
        self.cache = KVCache(
            model.attention_specs,
            num_blocks=num_blocks + graphs,  # one for the padding of graphs
            block_size=block_size,
            dtype=dtype,
            device=device,
        )
        self._attention = select_backend(self.cache)
        self._graphs = self._make_graphs(num_blocks) if graphs else None

    def run(self, slices: Sequence[SequenceSlice]) -> Tensor:
        """Compute a step: prefill chunks, decodes and drafts to verify, in any mixture.

        Args:
            slices: the part of each sequence to compute, at least one.

        Returns:
            (sum of logit_rows, vocab) logits on the device in the model's type, in the order of
            the slices and, within one, of its tokens. The next step may overwrite them.

        Raises:
            DeviceError: the device ran out of memory.
        """
        return self._run(slices, greedy=False)

    def run_greedy(self, slices: Sequence[SequenceSlice]) -> list[int]:
        """Compute a step and take the likeliest token of each row of logits.

        Faster than `run` and a choice afterwards where decodes are CUDA graphs.

        Args:
            slices: as for `run`.

        Returns:
            For each row of the logits the token, the lowest id among equals; -1 where the logits
            are NaN or infinite.

        Raises:
            DeviceError: the device ran out of memory.
        """
        tokens: list[int] = self._run(slices, greedy=True).tolist()
        return tokens

    def _run(self, slices: Sequence[SequenceSlice], *, greedy: bool) -> Tensor:
        """Logits, or the likeliest token of each of their rows."""
        layout = lay_out(
            ((part.token_ids, part.start, part.block_ids) for part in slices),
            block_size=self.cache.block_size,
        )
        rows = _logit_rows(slices, layout.spans)
        try:
            with torch.no_grad():  # no inference mode: the caller may write to the logits
                output = self._graphs.run(layout) if self._graphs is not None else None
                if output is not None:
                    return self._pick(output.likeliest if greedy else output.logits, rows)
                with torch.inference_mode():
                    batch = layout.on(self._device)
                    step = self._attention.begin(batch)
                    hidden = self._model(batch.token_ids, batch.positions, step)
                logits = self._logits(self._pick(hidden, rows))
                return greedy_tokens(logits) if greedy else logits
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            raise DeviceError(
                f"The device {self._device} ran out of memory in a step of "
                f"{len(layout.token_ids)} tokens: {str(error).splitlines()[0]}"
            ) from error

    def warm_up(self) -> bool:
        """Prepare a part of what makes later steps faster; to be called while there is none.

        On CUDA it records one more graph of decode steps, in some tens of milliseconds. Steps may
        run before all are there: those of a size that comes up often are recorded on the way.

        Returns:
            Whether there was something to prepare, and so may be more.
        """
        if self._graphs is None:
            return False
        with torch.no_grad():
            return self._graphs.record_next()

    def _logits(self, hidden: Tensor) -> Tensor:
        if not len(hidden):  # no kernel is asked to multiply nothing: some refuse
            return hidden.new_empty((0, self._model.config.vocab_size))
        return self._model.logits(hidden)

    def _pick(self, values: Tensor, rows: list[int]) -> Tensor:
        if len(rows) == values.shape[0]:
            return values
        return values[torch.tensor(rows, dtype=torch.int64, device=self._device)]

    def _make_graphs(self, scratch_block: int) -> DecodeGraphs:
        from inference.runner.decode_graphs import CudaRecorder, DecodeGraphs
        from inference.runner.layer_fusion import fuse

        record = CudaRecorder()
        with torch.no_grad():
            fuse(self._model, self.cache, scratch_block=scratch_block, record=record)
        return DecodeGraphs(
            self._model,
            self.cache,
            max_model_len=self._max_model_len,
            scratch_block=scratch_block,
            record=record,
        )


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an exception for it; MPS and the CPU have only a message."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    message = str(error)
    return "out of memory" in message or "can't allocate memory" in message


def _logit_rows(slices: Sequence[SequenceSlice], spans: Sequence[Span]) -> list[int]:
    rows: list[int] = []
    for part, span in zip(slices, spans, strict=True):
        end = span.row + span.tokens
        rows.extend(range(end - part.logit_rows, end))
    return rows
