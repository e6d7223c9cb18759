"""Where the tokens of one step lie: in the batch, in their sequences and in the cache.

Worked out once for a step; all layers share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Span:
    """One sequence's tokens in a batch.

    Attributes:
        row: index of its first token in the batch.
        count: its tokens in the batch.
        start: position of the first of them in the sequence.
        block_ids: the sequence's block table, as long as it needs to be.
    """

    row: int
    count: int
    start: int
    block_ids: Sequence[int]

    @property
    def length(self) -> int:
        """Tokens of the sequence up to the last one in the batch."""
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class Batch:
    """The tokens of one step, sequences laid end to end.

    Attributes:
        spans: where each sequence lies.
        token_ids: (tokens,) int64 on the device.
        positions: (tokens,) int64 on the device.
        slots: (tokens,) int64 on the device: where in the cache each token's key and value go.
        first_slot: the first of the slots where they follow one another, else None.
        block_size: positions in a block.
    """

    spans: tuple[Span, ...]
    token_ids: Tensor
    positions: Tensor
    slots: Tensor
    first_slot: int | None
    block_size: int


def build_batch(
    parts: Sequence[tuple[Sequence[int], int, Sequence[int]]],
    *,
    block_size: int,
    device: torch.device,
) -> Batch:
    """Lay sequences end to end.

    Args:
        parts: token ids, position of the first, and block table of each sequence.
        block_size: positions in a block.
        device: where the tensors go, in one copy.

    Raises:
        ValueError: a part has no tokens, or its block table is too short.
    """
    spans: list[Span] = []
    token_ids: list[int] = []
    positions: list[int] = []
    slots: list[int] = []
    for tokens, start, block_ids in parts:
        count = len(tokens)
        end = start + count
        blocks = -(-end // block_size)
        if count == 0 or start < 0 or len(block_ids) < blocks:
            raise ValueError(
                f"{count} tokens from position {start} on do not fit {len(block_ids)} blocks."
            )
        spans.append(Span(len(token_ids), count, start, block_ids[:blocks]))
        token_ids.extend(tokens)
        if count == 1:
            positions.append(start)
            slots.append(block_ids[start // block_size] * block_size + start % block_size)
        else:
            positions.extend(range(start, end))
            _extend_slots(slots, start, end, block_ids, block_size)
    table = torch.tensor(token_ids + positions + slots, dtype=torch.int64)
    if device.type == "cuda":
        table = table.pin_memory().to(device, non_blocking=True)
    elif device.type != "cpu":
        table = table.to(device)
    rows = table.view(3, len(token_ids))
    return Batch(tuple(spans), rows[0], rows[1], rows[2], run_start(slots), block_size)


def run_start(block_ids: Sequence[int]) -> int | None:
    """The first of the blocks where each is one more than the last, else None."""
    first = block_ids[0]
    if block_ids[-1] - first != len(block_ids) - 1:
        return None
    return first if list(block_ids) == list(range(first, first + len(block_ids))) else None


def _extend_slots(
    slots: list[int], start: int, end: int, block_ids: Sequence[int], block_size: int
) -> None:
    for index in range(start // block_size, -(-end // block_size)):
        base = block_ids[index] * block_size
        first = max(start - index * block_size, 0)
        last = min(end - index * block_size, block_size)
        slots.extend(range(base + first, base + last))
