"""How checkpoints that are quantised already lay out 4-bit weights, each decoded exactly.

Eight codes share a 32-bit word, the first in its lowest four bits.

- GPTQ (github.com/AutoGPTQ/AutoGPTQ): words run along the inputs; `g_idx` says which group an input
  belongs to. Zero points run along the outputs, less one in the first version of the format.
- AWQ "gemm" (github.com/casper-hansen/AutoAWQ): words run along the outputs, in an order of their
  own.
- compressed-tensors "pack-quantized" (github.com/vllm-project/compressed-tensors): words run along
  the inputs; codes and zero points are signed and stored plus 8. Zero points run along the outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from inference.checkpoint.source import TensorSource
from inference.errors import CheckpointError, UnsupportedModelError
from inference.linear.quantize import Int4Weight

_BITS = 4
_CODES_PER_WORD = 32 // _BITS
_FLOATS = (torch.float16, torch.bfloat16, torch.float32)
_INDICES = (torch.int32, torch.int64)
# AWQ stores the outputs 0, 2, 4, 6, 1, 3, 5, 7 of each eight; this puts them back.
_AWQ_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)


@dataclass(frozen=True, slots=True)
class PackedWeight:
    """A decoded layer.

    Attributes:
        weight: of the inputs in the order `input_order`.
        input_order: (in_features,) int64; None: as they come.
    """

    weight: Int4Weight
    input_order: Tensor | None = None


class PackedLayout(ABC):
    """One layout.

    Attributes:
        key: what the name of a packed weight ends with.
    """

    key: str

    @abstractmethod
    def read(
        self, source: TensorSource, name: str, out_features: int, in_features: int
    ) -> PackedWeight:
        """Read the layer `name`.

        Raises:
            CheckpointError: a tensor is missing or misshapen.
        """


class GptqLayout(PackedLayout):
    """GPTQ.

    Args:
        config: `quantization_config`.
    """

    key = "qweight"

    def __init__(self, config: Mapping[str, Any]) -> None:
        _require_bits(config.get("bits"), "GPTQ")
        version = str(config.get("checkpoint_format", "gptq"))
        if version not in ("gptq", "gptq_v2"):
            raise UnsupportedModelError(f"The engine does not read GPTQ weights in {version!r}.")
        self._zero_point_offset = 1 if version == "gptq" else 0

    def read(
        self, source: TensorSource, name: str, out_features: int, in_features: int
    ) -> PackedWeight:
        """Read the layer `name`."""
        words = _load(
            source, f"{name}.qweight", (_words(in_features, name), out_features), torch.int32
        )
        scales, zero_words = _scales_and_zero_words(source, name, out_features, in_features)
        # Above 15 it wraps: a zero point of 0 was stored as -1.
        zero_points = (_unpack(zero_words) + self._zero_point_offset) & 15
        weight = Int4Weight(_bytes(words.t()), _floats(scales.t()), zero_points.t().contiguous())
        if f"{name}.g_idx" not in source.names():
            return PackedWeight(weight)
        group_of_input = _load(source, f"{name}.g_idx", (in_features,), *_INDICES).long()
        return _in_order_of_groups(weight, group_of_input, name)


class AwqLayout(PackedLayout):
    """AWQ in its "gemm" order.

    Args:
        config: `quantization_config`.
    """

    key = "qweight"

    def __init__(self, config: Mapping[str, Any]) -> None:
        _require_bits(config.get("bits", config.get("w_bit")), "AWQ")
        version = str(config.get("version", "gemm")).lower()
        if version != "gemm":
            raise UnsupportedModelError(f"The engine does not read AWQ weights in {version!r}.")

    def read(
        self, source: TensorSource, name: str, out_features: int, in_features: int
    ) -> PackedWeight:
        """Read the layer `name`."""
        words = _load(
            source, f"{name}.qweight", (in_features, _words(out_features, name)), torch.int32
        )
        scales, zero_words = _scales_and_zero_words(source, name, out_features, in_features)
        codes = self._in_place(_unpack(words)).t()
        zero_points = self._in_place(_unpack(zero_words)).t().contiguous()
        return PackedWeight(Int4Weight(_pack(codes), _floats(scales.t()), zero_points))

    @staticmethod
    def _in_place(stored: Tensor) -> Tensor:
        eights = stored.view(stored.shape[0], -1, _CODES_PER_WORD)
        return eights[..., torch.tensor(_AWQ_PLACES)].flatten(1)


class CompressedTensorsLayout(PackedLayout):
    """compressed-tensors, "pack-quantized".

    Args:
        config: `quantization_config`.
    """

    key = "weight_packed"

    def __init__(self, config: Mapping[str, Any]) -> None:
        groups = config.get("config_groups")
        if not isinstance(groups, Mapping) or not groups:
            raise UnsupportedModelError("The quantization_config names no config_groups.")
        for group in groups.values():
            self._require_readable(group, config.get("format"))

    def read(
        self, source: TensorSource, name: str, out_features: int, in_features: int
    ) -> PackedWeight:
        """Read the layer `name`."""
        words = _load(
            source,
            f"{name}.weight_packed",
            (out_features, _words(in_features, name)),
            torch.int32,
        )
        groups = _groups(source, f"{name}.weight_scale", -1, in_features)
        scales = _load(source, f"{name}.weight_scale", (out_features, groups), *_FLOATS)
        weight = Int4Weight(
            _bytes(words), _floats(scales), self._zero_points(source, name, out_features, groups)
        )
        if f"{name}.weight_g_idx" not in source.names():
            return PackedWeight(weight)
        group_of_input = _load(source, f"{name}.weight_g_idx", (in_features,), *_INDICES).long()
        return _in_order_of_groups(weight, group_of_input, name)

    @staticmethod
    def _zero_points(source: TensorSource, name: str, out_features: int, groups: int) -> Tensor:
        key = f"{name}.weight_zero_point"
        if key not in source.names():
            return torch.full((out_features, groups), 8, dtype=torch.uint8)
        if source.dtype(key) == torch.int8:  # the library's early versions did not pack them
            return (_load(source, key, (out_features, groups), torch.int8) + 8).to(torch.uint8)
        words = _load(source, key, (_words(out_features, name), groups), torch.int32)
        return _unpack(words.t()).t().contiguous()

    @staticmethod
    def _require_readable(group: object, format_name: object) -> None:
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(group, Mapping) or not isinstance(weights, Mapping):
            raise UnsupportedModelError("The quantization_config does not describe its weights.")
        format_name = group.get("format") or format_name
        if format_name != "pack-quantized" or weights.get("type", "int") != "int":
            raise UnsupportedModelError(
                f"The engine does not read compressed-tensors weights in {format_name!r}."
            )
        _require_bits(weights.get("num_bits"), "compressed-tensors")
        if weights.get("strategy") not in (None, "group", "channel"):
            raise UnsupportedModelError(
                f"The engine does not read scales for each {weights.get('strategy')!r}."
            )
        if group.get("input_activations"):
            raise UnsupportedModelError("The engine does not read models with rounded activations.")


def _require_bits(bits: object, method: str) -> None:
    if bits != _BITS:
        raise UnsupportedModelError(f"The engine reads {method} weights of 4 bits, not {bits}.")


def _scales_and_zero_words(
    source: TensorSource, name: str, out_features: int, in_features: int
) -> tuple[Tensor, Tensor]:
    """(groups, out_features) and (groups, out_features / 8), as GPTQ and AWQ store them."""
    groups = _groups(source, f"{name}.scales", 0, in_features)
    scales = _load(source, f"{name}.scales", (groups, out_features), *_FLOATS)
    zeros = _load(source, f"{name}.qzeros", (groups, _words(out_features, name)), torch.int32)
    return scales, zeros


def _groups(source: TensorSource, name: str, dimension: int, in_features: int) -> int:
    shape = source.shape(name)
    groups = shape[dimension] if len(shape) == 2 else 0
    if groups < 1 or in_features % groups:
        raise CheckpointError(
            f"The tensor {name} has the shape {list(shape)}, which does not divide "
            f"{in_features} inputs into groups."
        )
    return groups


def _words(codes: int, name: str) -> int:
    """Words that so many codes fill."""
    if codes % _CODES_PER_WORD:
        raise CheckpointError(f"{codes} codes of the layer {name} do not fill whole words.")
    return codes // _CODES_PER_WORD


def _load(source: TensorSource, name: str, shape: tuple[int, ...], *dtypes: torch.dtype) -> Tensor:
    """A tensor that must have this shape and one of these dtypes."""
    if source.shape(name) != shape:
        raise CheckpointError(
            f"The tensor {name} has the shape {list(source.shape(name))}; "
            f"by config.json it must be {list(shape)}."
        )
    if source.dtype(name) not in dtypes:
        raise CheckpointError(f"The tensor {name} must not be stored as {source.dtype(name)}.")
    return source.load(name)


def _floats(scales: Tensor) -> Tensor:
    return scales.float().contiguous()


def _bytes(words: Tensor) -> Tensor:
    """Words (rows, columns) as bytes: two codes each, the first in the low four bits."""
    return words.to(torch.int32, copy=True).contiguous().view(torch.uint8)


def _unpack(words: Tensor) -> Tensor:
    """Codes (rows, 8 * columns) uint8 of words (rows, columns)."""
    pairs = _bytes(words)
    return torch.stack((pairs & 15, pairs >> 4), dim=-1).flatten(1)


def _pack(codes: Tensor) -> Tensor:
    """Two codes to a byte, the first in the low four bits."""
    return codes[:, 0::2] | (codes[:, 1::2] << 4)


def _in_order_of_groups(weight: Int4Weight, group_of_input: Tensor, name: str) -> PackedWeight:
    """Bring the inputs of a group together, which are scattered where they were rounded by size."""
    groups = weight.scales.shape[1]
    size = group_of_input.shape[0] // groups
    order = group_of_input.argsort(stable=True)
    expected = torch.arange(groups).repeat_interleave(size)
    if not torch.equal(group_of_input[order], expected):
        raise CheckpointError(f"The layer {name} has groups of different sizes.")
    if torch.equal(group_of_input, expected):
        return PackedWeight(weight)
    codes = _pack(weight.unpacked_codes()[:, order])
    return PackedWeight(Int4Weight(codes, weight.scales, weight.zero_points), order)
