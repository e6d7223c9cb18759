"""Layers against the dense product with what their weights stand for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inference.linear import cpu
from inference.linear.dense import HalfLinear, dense_linear
from inference.linear.int4 import (
    OnnxInt4Linear,
    TorchInt4Linear,
    UnpackingInt4Linear,
    int4_linear,
)
from inference.linear.int8 import Int8Embedding, Int8Linear, OnnxInt8Linear, int8_linear
from inference.linear.interface import Linear
from inference.linear.onnx_product import OnnxProduct
from inference.linear.quantize import quantize_int4, quantize_int8

ROWS = (0, 1, 2, 3, 5, 16, 17, 40)
# Of the output: what rounding inputs to 8 bits or bfloat16, and sums to bfloat16, may add.
TOLERANCE = 0.01


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _int8_layers(weight: Tensor, bias: Tensor | None) -> list[Linear]:
    rounded = quantize_int8(weight)
    return [
        Int8Linear(rounded, bias),
        OnnxInt8Linear(rounded, 32, bias),
        int8_linear(rounded, bias),
    ]


def _int4_layers(weight: Tensor, bias: Tensor | None) -> list[Linear]:
    rounded = quantize_int4(weight, 32)
    return [
        OnnxInt4Linear(rounded, bias),
        TorchInt4Linear(rounded, bias),
        UnpackingInt4Linear(rounded, bias),
        int4_linear(rounded, bias),
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_layers_compute_with_their_weights(
    bits: int, with_bias: bool, dtype: torch.dtype
) -> None:
    weight = _normal(192, 96)
    bias = _normal(192, seed=1) if with_bias else None
    rounded = quantize_int8(weight) if bits == 8 else quantize_int4(weight, 32)
    make = _int8_layers if bits == 8 else _int4_layers
    for layer in make(weight, bias):
        assert (layer.in_features, layer.out_features) == (96, 192)
        for rows in ROWS:
            x = _normal(rows, 96, seed=2).to(dtype)
            expected = torch.nn.functional.linear(x.float(), rounded.dequantize(), bias)
            output = layer(x)
            assert output.dtype == dtype
            assert (output.float() - expected).norm() <= TOLERANCE * expected.norm(), layer


def test_any_leading_dimensions() -> None:
    weight = _normal(64, 64)
    for layer in (*_int8_layers(weight, None), *_int4_layers(weight, None)):
        x = _normal(2, 3, 64)
        assert torch.equal(layer(x).flatten(0, 1), layer(x.flatten(0, 1)))


def test_shapes_that_the_fast_kernels_do_not_take() -> None:
    weight = _normal(10, 172)
    x = _normal(3, 172)
    rounded = quantize_int8(weight)
    expected = x @ rounded.dequantize().T
    assert (int8_linear(rounded)(x) - expected).norm() <= TOLERANCE * expected.norm()
    few = quantize_int4(_normal(10, 64), 32)
    expected = x[:, :64] @ few.dequantize().T
    for capability in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cpu, "prefers_onnx", lambda answer=capability: answer)
            output = int4_linear(few)(x[:, :64])
        assert (output - expected).norm() <= 2 * TOLERANCE * expected.norm()


def test_a_weight_in_several_sessions_is_one_product() -> None:
    rounded = quantize_int4(_normal(200, 64), 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inference.linear.onnx_product._MOST_CODE_BYTES", 32 * 48)
        split = OnnxProduct(
            rounded.codes, rounded.scales, rounded.zero_points, bits=4, in_features=64
        )
    x = _normal(5, 64)
    assert torch.equal(split(x), OnnxInt4Linear(rounded)(x))


@pytest.mark.parametrize("make", [_int8_layers, _int4_layers])
def test_a_row_does_not_depend_on_the_others(make: object) -> None:
    """An outlier beside it changes nothing; being alone changes float32 noise at most."""
    weight, x = _normal(128, 256), _normal(6, 256, seed=3)
    for layer in make(weight, None):  # type: ignore[operator]
        before = layer(x)
        outlier = x.clone()
        outlier[0] *= 1e4
        assert torch.equal(layer(outlier)[1:], before[1:]), layer
        alone = torch.cat([layer(row[None]) for row in x])
        assert torch.allclose(alone, before, rtol=2**-7, atol=1e-4), layer


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_weights_on_a_processor_without_instructions_for_them(dtype: torch.dtype) -> None:
    weight = _normal(600, 64).to(dtype)
    layer, bias = HalfLinear(weight), _normal(600, seed=5).to(dtype)
    for rows in ROWS:
        x = _normal(rows, 64, seed=4).to(dtype)
        exact = x.double() @ weight.double().T
        step = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-11
        assert torch.allclose(layer(x).double(), exact, rtol=step * 1.1, atol=1e-5)
        with_bias = HalfLinear(weight, bias)(x)
        assert with_bias.dtype == dtype
        assert torch.allclose(with_bias.double(), exact + bias.double(), rtol=0.02, atol=0.05)


def test_half_weights_round_alike_for_one_row_and_many() -> None:
    weight, x = _normal(256, 512).bfloat16(), _normal(16, 512, seed=6).bfloat16()
    layer = HalfLinear(weight)
    alone = torch.cat([layer(row[None]) for row in x])
    assert (alone != layer(x)).float().mean() < 0.01
    assert torch.allclose(alone.float(), layer(x).float(), rtol=2**-7, atol=1e-3)


def test_float32_is_left_to_torch() -> None:
    weight, x = _normal(32, 16), _normal(3, 16)
    assert torch.equal(dense_linear(weight)(x), torch.nn.functional.linear(x, weight))


def test_sums_of_int8_codes_stay_within_float16() -> None:
    weight = _normal(64, 4096).abs()
    layer = Int8Linear(quantize_int8(weight))
    rows = _normal(20, 4096, seed=1).abs().half()
    expected = rows.double() @ weight.double().t()
    output = (layer._on_device(rows) * layer.scales).double()
    assert (output - expected).norm() < TOLERANCE * expected.norm()


def test_an_int8_embedding_is_its_own_output_head() -> None:
    table = _normal(96, 64)
    rounded = quantize_int8(table)
    embedding = Int8Embedding(rounded, torch.float32)
    ids = torch.tensor([[0, 5], [95, 5]])
    assert torch.allclose(embedding(ids), rounded.dequantize()[ids])
    assert embedding(ids).shape == (2, 2, 64)
    x = _normal(4, 64)
    expected = x @ rounded.dequantize().T
    output = embedding.output_head()(x)
    assert (output - expected).norm() <= TOLERANCE * expected.norm()
