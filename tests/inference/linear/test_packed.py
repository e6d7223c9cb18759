"""Checkpoints that are quantised already: decoded to exactly what their formats say.

Weights are packed here code by code, by loops that follow the formats' published definitions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.checkpoint.safetensors_file import SafetensorsFile
from inference.errors import CheckpointError, UnsupportedModelError
from inference.linear.interface import PackedScheme
from inference.linear.packed import JoinedLinear, ReorderedLinear, packed_scheme
from inference.linear.packed_layouts import (
    AwqLayout,
    CompressedTensorsLayout,
    GptqLayout,
    PackedLayout,
)

CPU = torch.device("cpu")
AWQ_STORED_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


class Truth(NamedTuple):
    """weight[o, i] = scales[o, g] * (codes[o, i] - zero_points[o, g]), g = group_of_input[i]."""

    codes: Tensor
    scales: Tensor
    zero_points: Tensor
    group_of_input: Tensor

    def weight(self) -> Tensor:
        scales = self.scales.float()[:, self.group_of_input]
        return scales * (self.codes - self.zero_points[:, self.group_of_input])


def _truth(
    out_features: int = 16,
    in_features: int = 128,
    group: int = 32,
    *,
    symmetric: bool = False,
    shuffled: bool = False,
    seed: int = 0,
) -> Truth:
    generator = torch.Generator().manual_seed(seed)
    groups = in_features // group
    codes = torch.randint(0, 16, (out_features, in_features), generator=generator)
    scales = torch.rand(out_features, groups, generator=generator).add_(0.1).half()
    zeros = torch.randint(0, 16, (out_features, groups), generator=generator)
    group_of_input = torch.arange(in_features) // group
    if shuffled:
        group_of_input = group_of_input[torch.randperm(in_features, generator=generator)]
    return Truth(codes, scales, torch.full_like(zeros, 8) if symmetric else zeros, group_of_input)


def _word(codes: list[int]) -> int:
    word = sum((code & 15) << (4 * place) for place, code in enumerate(codes))
    return word - (1 << 32) if word >= 1 << 31 else word


def _pack_rows(codes: Tensor, order: tuple[int, ...] = tuple(range(8))) -> Tensor:
    """(rows, columns) to (rows, columns / 8) words."""
    return torch.tensor(
        [
            [_word([row[at + place] for place in order]) for at in range(0, len(row), 8)]
            for row in codes.tolist()
        ],
        dtype=torch.int32,
    )


def _gptq(truth: Truth, name: str, *, version: int = 1) -> dict[str, Tensor]:
    return {
        f"{name}.qweight": _pack_rows(truth.codes).t().contiguous(),
        f"{name}.qzeros": _pack_rows(truth.zero_points.t() - (1 if version == 1 else 0)),
        f"{name}.scales": truth.scales.t().contiguous(),
        f"{name}.g_idx": truth.group_of_input.int(),
    }


def _gptq_v2(truth: Truth, name: str) -> dict[str, Tensor]:
    return _gptq(truth, name, version=2)


def _awq(truth: Truth, name: str) -> dict[str, Tensor]:
    return {
        f"{name}.qweight": _pack_rows(truth.codes.t(), AWQ_STORED_ORDER),
        f"{name}.qzeros": _pack_rows(truth.zero_points.t(), AWQ_STORED_ORDER),
        f"{name}.scales": truth.scales.t().contiguous(),
    }


def _compressed(truth: Truth, name: str) -> dict[str, Tensor]:
    tensors = {
        f"{name}.weight_packed": _pack_rows(truth.codes),
        f"{name}.weight_scale": truth.scales,
        f"{name}.weight_shape": torch.tensor(truth.codes.shape),
        f"{name}.weight_g_idx": truth.group_of_input.int(),
    }
    if not (truth.zero_points == 8).all():
        tensors[f"{name}.weight_zero_point"] = _pack_rows(truth.zero_points.t()).t().contiguous()
    return tensors


GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": True, "sym": False}
GPTQ_V2 = {**GPTQ, "checkpoint_format": "gptq_v2"}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm"}
COMPRESSED: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "config_groups": {
        "group_0": {
            "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32},
            "input_activations": None,
            "targets": ["Linear"],
        }
    },
    "ignore": ["lm_head"],
}

Pack = Callable[[Truth, str], dict[str, Tensor]]
FORMATS: list[tuple[dict[str, Any], type, Pack]] = [
    (GPTQ, GptqLayout, _gptq),
    (GPTQ_V2, GptqLayout, _gptq_v2),
    (AWQ, AwqLayout, _awq),
    (COMPRESSED, CompressedTensorsLayout, _compressed),
]


def _source(folder: Path, *parts: dict[str, Tensor]) -> SafetensorsFile:
    path = folder / "model.safetensors"
    save_file({name: tensor for part in parts for name, tensor in part.items()}, path)
    return SafetensorsFile(path)


def _scheme(config: dict[str, Any], source: SafetensorsFile) -> PackedScheme:
    scheme = packed_scheme(config, source, device=CPU, dtype=torch.float32)
    assert scheme is not None
    return scheme


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("config", "kind", "pack"), FORMATS)
def test_weights_are_decoded_exactly(
    tmp_path: Path,
    config: dict[str, Any],
    kind: Callable[[dict[str, Any]], PackedLayout],
    pack: Pack,
    shuffled: bool,
    symmetric: bool,
) -> None:
    if shuffled and pack is _awq:
        pytest.skip("AWQ has no order of inputs")
    truth = _truth(symmetric=symmetric, shuffled=shuffled)
    decoded = kind(config).read(_source(tmp_path, pack(truth, "up")), "up", 16, 128)
    weight = truth.weight()
    if decoded.input_order is not None:
        weight = weight[:, decoded.input_order]
    assert (decoded.input_order is not None) == shuffled
    assert torch.equal(decoded.weight.dequantize(), weight)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("config", "kind", "pack"), FORMATS)
def test_layers_answer_like_their_weights(
    tmp_path: Path, config: dict[str, Any], kind: type, pack: Pack, shuffled: bool
) -> None:
    truth = _truth(shuffled=shuffled and pack is not _awq)
    source = _source(tmp_path, pack(truth, "up"))
    bias = torch.randn(16, generator=torch.Generator().manual_seed(1))
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(2))
    layer = _scheme(config, source).build(["up"], [16], 128, bias)
    expected = torch.nn.functional.linear(x, truth.weight(), bias)
    assert (layer(x) - expected).norm() <= 0.01 * expected.norm()


@pytest.mark.parametrize("same_order", [False, True])
def test_fused_layers(tmp_path: Path, same_order: bool) -> None:
    """Layers with the same order of inputs become one, others are joined."""
    first = _truth(shuffled=True)
    second = _truth(8, shuffled=True, seed=0 if same_order else 5)
    if same_order:
        second = second._replace(group_of_input=first.group_of_input)
    source = _source(tmp_path, _gptq(first, "q"), _gptq(second, "k"))
    layer = _scheme(GPTQ, source).build(["q", "k"], [16, 8], 128)
    assert isinstance(layer, ReorderedLinear if same_order else JoinedLinear)
    assert layer.out_features == 24
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(2))
    expected = x @ torch.cat([first.weight(), second.weight()]).T
    assert (layer(x) - expected).norm() <= 0.01 * expected.norm()


@pytest.mark.parametrize("group", [128, 384, 16])
def test_groups_of_any_size(tmp_path: Path, group: int, caplog: pytest.LogCaptureFixture) -> None:
    """One scale for each output, and groups too small for the kernels, which are unpacked."""
    truth = _truth(16, 384, group)
    source = _source(tmp_path, _gptq(truth, "up"))
    with caplog.at_level(logging.INFO):
        layer = _scheme(GPTQ, source).build(["up"], [16], 384)
    assert ("served unpacked" in caplog.text) == (group == 16)
    x = torch.randn(3, 384, generator=torch.Generator().manual_seed(2))
    expected = x @ truth.weight().T
    assert (layer(x) - expected).norm() <= 0.01 * expected.norm()


def test_zero_points_that_were_not_packed(tmp_path: Path) -> None:
    truth = _truth()
    tensors = _compressed(truth, "up")
    tensors["up.weight_zero_point"] = (truth.zero_points - 8).to(torch.int8)
    decoded = CompressedTensorsLayout(COMPRESSED).read(_source(tmp_path, tensors), "up", 16, 128)
    assert torch.equal(decoded.weight.dequantize(), truth.weight())


def test_layers_that_are_not_packed_are_left_to_others(tmp_path: Path) -> None:
    source = _source(tmp_path, _gptq(_truth(), "up"), {"lm_head.weight": torch.ones(2, 2)})
    scheme = _scheme(GPTQ, source)
    assert scheme.holds("up")
    assert not scheme.holds("lm_head")
    assert packed_scheme(None, source, device=CPU, dtype=torch.float32) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"quant_method": "bitsandbytes"}, "bitsandbytes"),
        ({}, "None"),
        ({**GPTQ, "bits": 3}, "not 3"),
        ({**GPTQ, "checkpoint_format": "marlin"}, "marlin"),
        ({**AWQ, "version": "gemv"}, "gemv"),
        ({**AWQ, "bits": 8}, "not 8"),
        ({**COMPRESSED, "format": "float-quantized"}, "float-quantized"),
        ({**COMPRESSED, "config_groups": {}}, "config_groups"),
        ({**COMPRESSED, "config_groups": {"group_0": 1}}, "does not describe"),
        ({**COMPRESSED, "config_groups": {"g": {"weights": {"num_bits": 8}}}}, "not 8"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    source = _source(tmp_path, {"x": torch.ones(1)})
    with pytest.raises(UnsupportedModelError, match=message):
        packed_scheme(config, source, device=CPU, dtype=torch.float32)


def _without(name: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.pop(name)


def _with(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.update({name: tensor})


@pytest.mark.parametrize(
    "damage",
    [
        _without("up.qweight"),
        _without("up.scales"),
        _without("up.qzeros"),
        _with("up.qweight", torch.zeros(3, 16, dtype=torch.int32)),
        _with("up.qweight", torch.zeros(16, 16, dtype=torch.int64)),
        _with("up.scales", torch.zeros(5, 16)),
        _with("up.scales", torch.zeros(0, 16)),
        _with("up.scales", torch.zeros(16)),
        _with("up.scales", torch.zeros(4, 16, dtype=torch.int32)),
        _with("up.g_idx", torch.zeros(128, dtype=torch.int32)),
        _with("up.g_idx", torch.full((128,), -1, dtype=torch.int32)),
        _with("up.g_idx", torch.full((128,), 1 << 30, dtype=torch.int32)),
    ],
)
def test_damaged_layers_are_typed_errors(
    tmp_path: Path, damage: Callable[[dict[str, Tensor]], object]
) -> None:
    tensors = _gptq(_truth(), "up")
    damage(tensors)
    scheme = _scheme(GPTQ, _source(tmp_path, tensors))
    with pytest.raises(CheckpointError, match="up"):
        scheme.build(["up"], [16], 128)


def test_codes_that_do_not_fill_whole_words(tmp_path: Path) -> None:
    scheme = _scheme(GPTQ, _source(tmp_path, _gptq(_truth(), "up")))
    with pytest.raises(CheckpointError, match="whole words"):
        scheme.build(["up"], [16], 130)
