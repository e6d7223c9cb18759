"""The tensors of the paged cache of keys and values (arXiv 2309.06180)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.attention.interface import AttentionSpec
from inference.errors import DeviceError

DEFAULT_BLOCK_SIZE = 16


class KVCache:
    """Keys and values of all layers, in blocks of a fixed number of positions.

    A layer's keys (and values) are one tensor of (blocks * block_size, kv_heads, head_dim): its
    first index is a slot, block * block_size + offset. So the blocks of a sequence that follow one
    another are a view of the tensor, and need not be gathered.

    Attributes:
        num_blocks: blocks in each layer.
        block_size: positions in a block.
        keys: by layer.
        values: by layer.
        key_heads: the keys once more, seen as (1, kv_heads, slots, head_dim).
        value_heads: the values likewise.
    """

    def __init__(
        self,
        specs: Sequence[AttentionSpec],
        *,
        num_blocks: int,
        block_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """Reserve the memory; it holds nothing yet, and is only read where it was written.

        Raises:
            DeviceError: the device does not have that much.
        """
        self.num_blocks = num_blocks
        self.block_size = block_size
        self.dtype = dtype
        self.device = device
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        try:
            for spec in specs:
                shape = (num_blocks * block_size, spec.num_kv_heads, spec.head_dim)
                self.keys.append(torch.empty(shape, dtype=dtype, device=device))
                self.values.append(torch.empty(shape, dtype=dtype, device=device))
        except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's is a plain one
            self.keys.clear()
            self.values.clear()
            wanted = num_blocks * block_bytes(specs, block_size=block_size, dtype=dtype)
            raise DeviceError(
                f"The device {device} has no room for {num_blocks} cache blocks "
                f"({wanted / 2**30:.2f} GiB): {str(error).splitlines()[0]}"
            ) from error
        self.key_heads = [keys.transpose(0, 1).unsqueeze(0) for keys in self.keys]
        self.value_heads = [values.transpose(0, 1).unsqueeze(0) for values in self.values]

    def write(
        self, layer: int, slots: Tensor, first_slot: int | None, key: Tensor, value: Tensor
    ) -> None:
        """Store the keys and values of a step's tokens.

        Args:
            layer: index of the layer.
            slots: (tokens,) int64.
            first_slot: the first of the slots where they follow one another, else None.
            key: (tokens, kv_heads, head_dim).
            value: the same.
        """
        keys, values = self.keys[layer], self.values[layer]
        if first_slot is not None:  # a copy costs a third of an indexed one
            keys.narrow(0, first_slot, key.shape[0]).copy_(key)
            values.narrow(0, first_slot, key.shape[0]).copy_(value)
        else:
            keys.index_copy_(0, slots, key.to(self.dtype))
            values.index_copy_(0, slots, value.to(self.dtype))


def block_bytes(specs: Sequence[AttentionSpec], *, block_size: int, dtype: torch.dtype) -> int:
    """Bytes that one block takes in all layers together."""
    elements = sum(2 * spec.num_kv_heads * spec.head_dim for spec in specs)
    return elements * block_size * dtype.itemsize
