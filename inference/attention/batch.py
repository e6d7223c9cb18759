"""Where the tokens of one step lie: in the batch, in their sequences and in the cache.

Worked out once for a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """One sequence's tokens in a batch.

    Attributes:
        row: index of its first token in the batch.
        tokens: how many it has in the batch.
        start: position of the first of them in the sequence.
        block_ids: the sequence's block table, as long as it needs to be.
    """

    row: int
    tokens: int
    start: int
    block_ids: Sequence[int]

    @property
    def length(self) -> int:
        """Tokens of the sequence up to the last one in the batch."""
        return self.start + self.tokens


@dataclass(frozen=True, slots=True)
class Layout:
    """The tokens of one step, sequences laid end to end, still on the host.

    Attributes:
        spans: where each sequence lies.
        token_ids: of all tokens.
        positions: of each in its sequence.
        slots: where in the cache each token's key and value go: block * block_size + offset.
    """

    spans: list[Span]
    token_ids: list[int]
    positions: list[int]
    slots: list[int]

    def on(self, device: torch.device) -> Batch:
        """Bring it to the device, in one copy."""
        numbers = torch.tensor(self.token_ids + self.positions + self.slots, dtype=torch.int64)
        if device.type == "cuda":
            numbers = numbers.pin_memory().to(device, non_blocking=True)
        elif device.type != "cpu":
            numbers = numbers.to(device)
        token_ids, positions, slots = numbers.view(3, len(self.slots)).unbind()
        return Batch(self.spans, token_ids, positions, slots, run_start(self.slots))


@dataclass(frozen=True, slots=True)
class Batch:
    """The tokens of one step on the device; all layers share it.

    Attributes:
        spans: where each sequence lies.
        token_ids: (tokens,) int64.
        positions: (tokens,) int64.
        slots: (tokens,) int64.
        first_slot: the first of the slots where they follow one another, else None.
    """

    spans: Sequence[Span]
    token_ids: Tensor
    positions: Tensor
    slots: Tensor
    first_slot: int | None


def lay_out(
    parts: Iterable[tuple[Sequence[int], int, Sequence[int]]], *, block_size: int
) -> Layout:
    """Lay sequences end to end.

    Args:
        parts: token ids, position of the first, and block table of each sequence.
        block_size: positions in a block.

    Raises:
        ValueError: a part has no tokens, or its block table is too short.
    """
    layout = Layout([], [], [], [])
    for tokens, start, block_ids in parts:
        count = len(tokens)
        end = start + count
        blocks = -(-end // block_size)
        if count == 0 or start < 0 or len(block_ids) < blocks:
            raise ValueError(
                f"{count} tokens from position {start} on do not fit {len(block_ids)} blocks."
            )
        layout.spans.append(Span(len(layout.token_ids), count, start, block_ids[:blocks]))
        layout.token_ids.extend(tokens)
        if count == 1:
            layout.positions.append(start)
            layout.slots.append(block_ids[blocks - 1] * block_size + start % block_size)
        else:
            layout.positions.extend(range(start, end))
            _extend_slots(layout.slots, start, end, block_ids, block_size)
    return layout


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
