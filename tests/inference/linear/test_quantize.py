"""Rounding weights: how exact it is, and that nothing is lost on the way."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from inference.linear.quantize import group_size, quantize_int4, quantize_int8


def _weight(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.02


def _relative_error(tried: Tensor, weight: Tensor) -> float:
    return ((tried - weight).norm() / weight.norm()).item()


def test_int8_is_within_half_a_step_of_every_weight() -> None:
    weight = _weight(37, 96)
    rounded = quantize_int8(weight)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((rounded.dequantize() - weight).abs() <= step * 0.501).all()


def test_the_weight_itself_is_left_alone() -> None:
    weight = _weight(8, 64)
    before = weight.clone()
    quantize_int8(weight)
    quantize_int4(weight, 32)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("group", [32, 64])
def test_int4_beats_plain_rounding(group: int) -> None:
    weight = _weight(64, 512)
    grouped = weight.view(64, -1, group)
    low, high = grouped.amin(-1, keepdim=True), grouped.amax(-1, keepdim=True)
    scale = (high - low) / 15
    zero = (-low / scale).round()
    plain = (((grouped / scale).round() + zero).clamp(0, 15) - zero) * scale
    searched = quantize_int4(weight, group).dequantize()
    assert _relative_error(searched, weight) < 0.97 * _relative_error(plain.flatten(1), weight)


def test_int4_weights_on_the_grid_come_back_exactly() -> None:
    """Sixteen steps of a power of two, with any zero point, are found again."""
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 16, (16, 4, 32), generator=generator).float()
    codes[..., 0], codes[..., 1] = 0, 15
    zero = torch.randint(0, 16, (16, 4, 1), generator=generator)
    weight = ((codes - zero) * 0.25).flatten(1)
    rounded = quantize_int4(weight, 32)
    assert torch.equal(rounded.zero_points, zero[..., 0].to(torch.uint8))
    assert torch.allclose(rounded.dequantize(), weight, rtol=1e-6, atol=0)


@given(st.sampled_from([0.0, 1e-30, 1.0, 3e4]), st.booleans())
def test_constant_weights_are_no_division_by_zero(value: float, negative: bool) -> None:
    weight = torch.full((2, 64), -value if negative else value)
    for rounded in (quantize_int8(weight), quantize_int4(weight, 64)):
        assert torch.allclose(rounded.dequantize(), weight, rtol=1e-2, atol=1e-30)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_as_its_float32(dtype: torch.dtype) -> None:
    weight = _weight(8, 64).to(dtype)
    assert torch.equal(
        quantize_int4(weight, 32).dequantize(), quantize_int4(weight.float(), 32).dequantize()
    )


def test_rows_are_rounded_by_themselves() -> None:
    weight = _weight(300, 4096)
    whole, part = quantize_int4(weight, 64), quantize_int4(weight[131:160], 64)
    assert torch.equal(whole.codes[131:160], part.codes)
    assert torch.equal(whole.scales[131:160], part.scales)


def test_group_sizes() -> None:
    assert group_size(2048) == 64
    assert group_size(96) == 32
    assert group_size(172) is None
