"""One forward pass of the model over a batch of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from inference.attention.batch import Batch, build_batch
from inference.attention.interface import AttentionSpec, AttentionStep
from inference.attention.sdpa import SdpaAttention
from inference.errors import DeviceError
from inference.kv_cache.cache import DEFAULT_BLOCK_SIZE, KVCache
from inference.runner.slices import SequenceSlice


class LanguageModel(Protocol):
    """What the runner needs of a model; `inference.models` has them."""

    @property
    def attention_specs(self) -> Sequence[AttentionSpec]:
        """The attention of each layer."""

    def __call__(self, token_ids: Tensor, positions: Tensor, attention: AttentionStep) -> Tensor:
        """(tokens, hidden) of (tokens,) ids and positions, both int64."""

    def logits(self, hidden: Tensor) -> Tensor:
        """(rows, vocab) of (rows, hidden)."""


class ModelRunner:
    """Holds the model and its cache of keys and values, and computes logits.

    Used from one thread at a time.

    Attributes:
        cache: keys and values; the caller says which blocks a sequence has.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        num_blocks: int,
        device: torch.device,
        dtype: torch.dtype,
        block_size: int = DEFAULT_BLOCK_SIZE,
    ) -> None:
        """Reserve the cache.

        Args:
            model: the model, on `device`.
            num_blocks: blocks of the cache.
            device: where to compute.
            dtype: of the cached keys and values.
            block_size: positions in a block.

        Raises:
            DeviceError: the cache does not fit the device.
        """
        self._model = model
        self._device = device
        self.cache = KVCache(
            model.attention_specs,
            num_blocks=num_blocks,
            block_size=block_size,
            dtype=dtype,
            device=device,
        )
        self._attention = SdpaAttention(self.cache)

    def run(self, slices: Sequence[SequenceSlice]) -> Tensor:
        """Compute a step: prefill chunks, decodes and drafts to verify, in any mixture.

        Args:
            slices: the part of each sequence to compute, at least one.

        Returns:
            (sum of logit_rows, vocab) logits on the device in the model's type, in the order of
            the slices and, within one, of its tokens.

        Raises:
            DeviceError: the device ran out of memory.
        """
        batch = build_batch(
            [(part.token_ids, part.start, part.block_ids) for part in slices],
            block_size=self.cache.block_size,
            device=self._device,
        )
        rows = _logit_rows(slices, batch)
        try:
            with torch.inference_mode():
                hidden = self._model(batch.token_ids, batch.positions, self._attention.begin(batch))
            with torch.no_grad():  # the caller may write to the logits, outside inference mode too
                if len(rows) < hidden.shape[0]:
                    hidden = hidden[torch.tensor(rows, dtype=torch.int64, device=self._device)]
                return self._model.logits(hidden)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"The device {self._device} ran out of memory in a step of "
                f"{batch.token_ids.shape[0]} tokens: {str(error).splitlines()[0]}"
            ) from error

    def warm_up(self) -> None:
        """Prepare what makes later steps faster; steps may run before and meanwhile."""


def _logit_rows(slices: Sequence[SequenceSlice], batch: Batch) -> list[int]:
    rows: list[int] = []
    for part, span in zip(slices, batch.spans, strict=True):
        end = span.row + span.count
        rows.extend(range(end - part.logit_rows, end))
    return rows
