"""Layers from checkpoints that are quantised already."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from inference.checkpoint.source import TensorSource
from inference.errors import UnsupportedModelError
from inference.linear.dense import dense_linear
from inference.linear.int4 import int4_linear
from inference.linear.interface import Linear, PackedScheme
from inference.linear.packed_layouts import (
    AwqLayout,
    CompressedTensorsLayout,
    GptqLayout,
    PackedLayout,
    PackedWeight,
)
from inference.linear.quantize import Int4Weight

_log = logging.getLogger(__name__)

_LAYOUTS: Mapping[str, type[GptqLayout | AwqLayout | CompressedTensorsLayout]] = {
    "gptq": GptqLayout,
    "awq": AwqLayout,
    "compressed-tensors": CompressedTensorsLayout,
}
# Groups that every kernel takes; larger ones are several of these with the same scale.
_GROUP_SIZES = (128, 64, 32)


def packed_scheme(
    config: Mapping[str, Any] | None,
    source: TensorSource,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> PackedScheme | None:
    """Choose how to read the layers that a checkpoint holds quantised.

    Args:
        config: `quantization_config` of config.json; None: nothing is quantised.
        source: the checkpoint.
        device: where the layers live.
        dtype: what comes in and goes out.

    Raises:
        UnsupportedModelError: a method, a layout or a number of bits that the engine cannot read.
    """
    if config is None:
        return None
    method = str(config.get("quant_method"))
    layout = _LAYOUTS.get(method)
    if layout is None:
        raise UnsupportedModelError(
            f"The checkpoint is quantised by {method!r}. The engine reads {', '.join(_LAYOUTS)}."
        )
    return PackedCheckpoint(layout(config), source, device, dtype)


class PackedCheckpoint:
    """Reads packed layers; their weights are kept as they are, in four bits."""

    def __init__(
        self,
        layout: PackedLayout,
        source: TensorSource,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._layout = layout
        self._source = source
        self._device = device
        self._dtype = dtype

    def holds(self, name: str) -> bool:
        """Whether the layer of this name (without ".weight") is stored packed."""
        return f"{name}.{self._layout.key}" in self._source.names()

    def build(
        self,
        names: Sequence[str],
        out_features: Sequence[int],
        in_features: int,
        bias: Tensor | None = None,
    ) -> Linear:
        """Make one linear layer of the layers named, their outputs laid end to end."""
        if bias is not None:
            bias = bias.to(device=self._device, dtype=self._dtype)
        layers = [
            self._layout.read(self._source, name, out, in_features)
            for name, out in zip(names, out_features, strict=True)
        ]
        if _fit_together(layers):
            return self._linear(_stacked(layers), bias, names[0])
        biases = [None] * len(layers) if bias is None else torch.split(bias, list(out_features))
        return JoinedLinear(
            [
                self._linear(layer, part, name)
                for layer, part, name in zip(layers, biases, names, strict=True)
            ]
        )

    def _linear(self, layer: PackedWeight, bias: Tensor | None, name: str) -> Linear:
        weight = _regrouped(layer.weight)
        if weight is None:
            _log.info(
                "%s has groups of %d, for which there is no 4-bit kernel: it is served unpacked.",
                name,
                layer.weight.group_size,
            )
            dense = layer.weight.dequantize().to(device=self._device, dtype=self._dtype)
            linear = dense_linear(dense, bias)
        else:
            placed = (weight.codes, weight.scales, weight.zero_points)
            linear = int4_linear(Int4Weight(*(part.to(self._device) for part in placed)), bias)
        if layer.input_order is None:
            return linear
        return ReorderedLinear(linear, layer.input_order.to(self._device))


class ReorderedLinear(Linear):
    """A layer that takes its inputs in an order of its own."""

    input_order: Tensor

    def __init__(self, linear: Linear, input_order: Tensor) -> None:
        super().__init__(linear.in_features, linear.out_features)
        self.linear = linear
        self.register_buffer("input_order", input_order)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        output: Tensor = self.linear(x.index_select(-1, self.input_order))
        return output


class JoinedLinear(Linear):
    """Layers of the same input, their outputs laid end to end."""

    def __init__(self, parts: Sequence[Linear]) -> None:
        super().__init__(parts[0].in_features, sum(part.out_features for part in parts))
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        return torch.cat([part(x) for part in self.parts], dim=-1)


def _fit_together(layers: Sequence[PackedWeight]) -> bool:
    """Whether layers take their inputs in the same order and groups."""
    first = layers[0]
    return all(
        layer.weight.group_size == first.weight.group_size
        and (
            layer.input_order is first.input_order
            or (
                layer.input_order is not None
                and first.input_order is not None
                and torch.equal(layer.input_order, first.input_order)
            )
        )
        for layer in layers
    )


def _stacked(layers: Sequence[PackedWeight]) -> PackedWeight:
    if len(layers) == 1:
        return layers[0]
    weights = [layer.weight for layer in layers]
    return PackedWeight(
        Int4Weight(
            torch.cat([weight.codes for weight in weights]),
            torch.cat([weight.scales for weight in weights]),
            torch.cat([weight.zero_points for weight in weights]),
        ),
        layers[0].input_order,
    )


def _regrouped(weight: Int4Weight) -> Int4Weight | None:
    """The same weight in groups that the kernels take; None: there are none."""
    size = next((size for size in _GROUP_SIZES if weight.group_size % size == 0), None)
    if size is None or size == weight.group_size:
        return None if size is None else weight
    times = weight.group_size // size
    return Int4Weight(
        weight.codes,
        weight.scales.repeat_interleave(times, dim=1),
        weight.zero_points.repeat_interleave(times, dim=1),
    )
