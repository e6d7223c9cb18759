"""Layers with int4 weights, a scale and a zero point for each group of inputs."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from inference.linear import cpu
from inference.linear.int8 import int8_linear
from inference.linear.interface import Linear
from inference.linear.onnx_product import OnnxProduct
from inference.linear.quantize import Int4Weight, quantize_int8

# Rows up to which torch's kernel for packed weights beats dequantising and a dense product.
_MOST_PACKED_ROWS = 16
_MIDDLE_CODE = 8  # torch's kernels compute (code - 8) * scale + zero
_CUDA_K_TILES = 8
_CUDA_GROUP_SIZES = (32, 64, 128, 256)
_TILE_BLOCKS = 8


class OnnxInt4Linear(Linear):
    """By ONNX Runtime, on a CPU."""

    bias: Tensor | None

    def __init__(self, weight: Int4Weight, bias: Tensor | None = None) -> None:
        super().__init__(2 * weight.codes.shape[1], weight.codes.shape[0])
        self.register_buffer("bias", bias)
        self._product = OnnxProduct(
            weight.codes,
            weight.scales,
            weight.zero_points,
            bits=4,
            in_features=self.in_features,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        output = self._product(x)
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype)


class TorchInt4Linear(Linear):
    """By torch's `_weight_int4pack_mm_for_cpu`, which is fast with AVX512.

    Many rows are multiplied densely, by a few blocks of the packed weight at a time.
    """

    packed: Tensor
    scales_and_zeros: Tensor
    bias: Tensor | None

    def __init__(self, weight: Int4Weight, bias: Tensor | None = None) -> None:
        super().__init__(2 * weight.codes.shape[1], weight.codes.shape[0])
        self.register_buffer("bias", bias)
        self.register_buffer("packed", _pack_for_cpu(weight.unpacked_codes()))
        self.register_buffer("scales_and_zeros", _scales_and_zeros(weight))
        self._group_size = weight.group_size

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        rows = x.reshape(-1, self.in_features).bfloat16()
        many = rows.shape[0] > _MOST_PACKED_ROWS and self.out_features % _block_rows() == 0
        output = self._densely(rows) if many else self._packed(rows)
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype).view(*x.shape[:-1], self.out_features)

    def _packed(self, rows: Tensor) -> Tensor:
        product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
            rows, self.packed, self._group_size, self.scales_and_zeros
        )
        return product

    def _densely(self, rows: Tensor) -> Tensor:
        dtype = torch.bfloat16 if cpu.multiplies_bfloat16() else torch.float32
        rows = rows.to(dtype)
        step = _TILE_BLOCKS * _block_rows()
        output = torch.empty((rows.shape[0], self.out_features), dtype=dtype)
        for row in range(0, self.out_features, step):
            tile = self._dequantized(row, row + step).to(dtype)
            torch.mm(rows, tile.t(), out=output[:, row : row + step])
        return output

    def _dequantized(self, begin: int, end: int) -> Tensor:
        """Rows of the weight, whole blocks of them."""
        codes = _unpack_for_cpu(self.packed.view(self.out_features, -1)[begin:end])
        scales, zeros = self.scales_and_zeros[:, begin:end].float().unbind(-1)
        groups = codes.view(codes.shape[0], -1, self._group_size).float().sub_(_MIDDLE_CODE)
        return groups.mul_(scales.t()[..., None]).add_(zeros.t()[..., None]).flatten(1)


class CudaInt4Linear(Linear):
    """By torch's `_weight_int4pack_mm`, which needs no Triton."""

    packed: Tensor
    scales_and_zeros: Tensor
    bias: Tensor | None

    def __init__(self, weight: Int4Weight, bias: Tensor | None = None) -> None:
        super().__init__(2 * weight.codes.shape[1], weight.codes.shape[0])
        self.register_buffer("bias", bias)
        # This kernel wants the even input in the high four bits.
        swapped = (weight.codes << 4) | (weight.codes >> 4)
        self.register_buffer(
            "packed", torch.ops.aten._convert_weight_to_int4pack(swapped, _CUDA_K_TILES)
        )
        self.register_buffer("scales_and_zeros", _scales_and_zeros(weight))
        self._group_size = weight.group_size

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        rows = x.reshape(-1, self.in_features).bfloat16()
        output: Tensor = torch.ops.aten._weight_int4pack_mm(
            rows, self.packed, self._group_size, self.scales_and_zeros
        )
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype).view(*x.shape[:-1], self.out_features)


class UnpackingInt4Linear(Linear):
    """By dequantising the whole weight at each call: for devices without a kernel (MPS)."""

    codes: Tensor
    scales: Tensor
    zero_points: Tensor
    bias: Tensor | None

    def __init__(self, weight: Int4Weight, bias: Tensor | None = None) -> None:
        super().__init__(2 * weight.codes.shape[1], weight.codes.shape[0])
        self.register_buffer("codes", weight.codes)
        self.register_buffer("scales", weight.scales)
        self.register_buffer("zero_points", weight.zero_points)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        weight = Int4Weight(self.codes, self.scales, self.zero_points).dequantize()
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(x, weight.to(x.dtype), bias)


def int4_linear(weight: Int4Weight, bias: Tensor | None = None) -> Linear:
    """The fastest int4 layer for where the weight is."""
    out_features, half_inputs = weight.codes.shape
    device = weight.codes.device
    if device.type == "cuda":
        fits = half_inputs % (_CUDA_K_TILES * 8) == 0 and out_features % 8 == 0
        if fits and weight.group_size in _CUDA_GROUP_SIZES and _has_ampere(device):
            return CudaInt4Linear(weight, bias)
    if device.type == "cpu":
        if cpu.prefers_onnx():
            return OnnxInt4Linear(weight, bias)
        if out_features % 16 == 0:
            return TorchInt4Linear(weight, bias)
        return int8_linear(quantize_int8(weight.dequantize()), bias)
    return UnpackingInt4Linear(weight, bias)


def _has_ampere(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _scales_and_zeros(weight: Int4Weight) -> Tensor:
    """(groups, out_features, 2) bfloat16, as torch's kernels take them."""
    zeros = (_MIDDLE_CODE - weight.zero_points.float()) * weight.scales
    return torch.stack((weight.scales.t(), zeros.t()), dim=-1).bfloat16().contiguous()


def _pack_for_cpu(codes: Tensor) -> Tensor:
    packed: Tensor = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.int(), 2)
    return packed


@cache
def _block_rows() -> int:
    """Rows that the CPU's packed layout interleaves: 64 with AVX512, else 32.

    Found by packing known codes: the layout is torch's own affair.
    """
    codes = torch.arange(128 * 4, dtype=torch.int32).mul_(7).remainder_(16).view(128, 4)
    packed = _pack_for_cpu(codes).view(128, 2)
    for rows in (64, 32):
        if torch.equal(_unpack_blocks(packed, rows), codes.to(torch.uint8)):
            return rows
    return 1 << 30  # a layout that we do not know: no weight is a whole number of such blocks


def _unpack_for_cpu(packed: Tensor) -> Tensor:
    return _unpack_blocks(packed, _block_rows())


def _unpack_blocks(packed: Tensor, block_rows: int) -> Tensor:
    """Codes (rows, in_features) of packed ones (rows, in_features / 2).

    A block holds, for each input, the codes of its upper half of rows in the low four bits and of
    its lower half in the high ones.
    """
    rows, half_inputs = packed.shape
    blocks = packed.view(rows // block_rows, 2 * half_inputs, block_rows // 2)
    codes = torch.cat((blocks & 15, blocks >> 4), dim=-1)
    return codes.transpose(1, 2).reshape(rows, -1)
