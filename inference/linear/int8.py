"""Layers with int8 weights, one scale for each output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from inference.linear import cpu
from inference.linear.interface import Embedding, Linear
from inference.linear.onnx_product import OnnxProduct
from inference.linear.quantize import Int8Weight

# Rows up to which torch's kernel for packed weights beats a dense product on a CPU.
_MOST_PACKED_ROWS = 16
# It silently leaves out the inputs after the last whole vector of this many.
_PACKED_VECTOR = 32
# About the largest code; a power of two.
_CODES = 128.0
# MatMulNBits rounds its input in blocks of this many; one that divides the input is taken.
_INPUT_BLOCKS = (128, 64, 32, 16)


class Int8Linear(Linear):
    """By torch's own kernels, on any device.

    On CUDA and MPS the codes are made floating-point on the way into a dense product: CUDA's
    `_weight_int8pack_mm` is slower than that.
    """

    codes: Tensor
    scales: Tensor
    bias: Tensor | None

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None) -> None:
        super().__init__(weight.codes.shape[1], weight.codes.shape[0])
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)
        self.register_buffer("bias", bias)
        self._ones = torch.ones(0)
        if weight.codes.device.type == "cpu":
            self._ones = torch.ones(self.out_features, dtype=torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        rows = x.reshape(-1, self.in_features)
        product = self._on_cpu(rows) if x.device.type == "cpu" else self._on_device(rows)
        output = product * self.scales
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype).view(*x.shape[:-1], self.out_features)

    def _on_cpu(self, rows: Tensor) -> Tensor:
        if rows.shape[0] <= _MOST_PACKED_ROWS and self.in_features % _PACKED_VECTOR == 0:
            # Scales are applied afterwards: the kernel would take them in bfloat16 only.
            packed: Tensor = torch._weight_int8pack_mm(rows.bfloat16(), self.codes, self._ones)
            return packed
        if cpu.multiplies_bfloat16():
            return functional.linear(rows.bfloat16(), self.codes.bfloat16())
        return cpu.tiled_product(rows.bfloat16(), self.codes)

    def _on_device(self, rows: Tensor) -> Tensor:
        codes = self.codes.to(rows.dtype)
        if rows.dtype != torch.float16:
            return functional.linear(rows, codes)
        # Sums of whole codes would pass float16's largest number. These halvings lose nothing.
        return functional.linear(rows, codes.mul_(1.0 / _CODES)).float() * _CODES


class OnnxInt8Linear(Linear):
    """By ONNX Runtime, on a CPU."""

    bias: Tensor | None

    def __init__(self, weight: Int8Weight, input_block: int, bias: Tensor | None = None) -> None:
        out_features, in_features = weight.codes.shape
        super().__init__(in_features, out_features)
        self.register_buffer("bias", bias)
        blocks = in_features // input_block
        self._product = OnnxProduct(
            weight.codes,
            weight.scales[:, None].expand(-1, blocks),
            bits=8,
            in_features=in_features,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        output = self._product(x)
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype)


class Int8Embedding(Embedding):
    """A table in int8 with one scale for each row.

    Args:
        weight: the table.
        dtype: what comes out.
        read: gives the table in memory of its own, where `weight` is mapped from a file.
    """

    codes: Tensor
    scales: Tensor

    def __init__(
        self,
        weight: Int8Weight,
        dtype: torch.dtype,
        read: Callable[[], Int8Weight] | None = None,
    ) -> None:
        super().__init__(weight.codes.shape[0], weight.codes.shape[1])
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)
        self._dtype = dtype
        self._read = read

    def forward(self, token_ids: Tensor) -> Tensor:
        """Map token ids (...) to rows (..., embedding_dim)."""
        rows = functional.embedding(token_ids, self.codes).float()
        return (rows * self.scales[token_ids][..., None]).to(self._dtype)

    def output_head(self) -> Linear:
        """A linear layer over this table.

        ONNX Runtime keeps a copy in its own order. Made of a mapped table, that copy would bring
        all pages of the mapping into memory beside it, so the table is read once more.
        """
        weight = Int8Weight(self.codes, self.scales)
        if self._read is not None and _onnx_input_block(weight) is not None:
            weight = self._read()
        return int8_linear(weight)


def int8_linear(weight: Int8Weight, bias: Tensor | None = None) -> Linear:
    """The fastest int8 layer for where the weight is."""
    block = _onnx_input_block(weight)
    return Int8Linear(weight, bias) if block is None else OnnxInt8Linear(weight, block, bias)


def _onnx_input_block(weight: Int8Weight) -> int | None:
    """Inputs that ONNX Runtime rounds together; None: torch's own kernels serve."""
    if weight.codes.device.type != "cpu" or not cpu.prefers_onnx():
        return None
    return next((size for size in _INPUT_BLOCKS if weight.codes.shape[1] % size == 0), None)
