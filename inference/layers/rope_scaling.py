"""Frequencies of rotary positions, and how they are stretched past the context of training.

All are fixed when the model is loaded. Two kinds, longrope and dynamic NTK, depend on the length
of the text in other engines, which recompute them as a text grows. Here they depend on the longest
context that is served: keys lie in the cache already rotated and are shared between texts of any
length, so one length must hold for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from inference.errors import ModelConfigError
from inference.rope_config import RopeConfig, RopeKind


def frequencies(rope: RopeConfig, served_tokens: int) -> tuple[Tensor, float]:
    """The angle by which each pair of values turns from one position to the next.

    Args:
        rope: the model's rotary positions.
        served_tokens: the longest context that will be served.

    Returns:
        (rotary_dim // 2,) in float32, in radians; and what cosine and sine are multiplied by.

    Raises:
        ModelConfigError: the parameters lead to nothing finite.
    """
    try:
        angles, factor = _scaled(rope, served_tokens)
    except ArithmeticError as error:
        raise ModelConfigError(
            f"config.json has impossible {rope.kind} rope parameters."
        ) from error
    if not (angles.isfinite().all() and math.isfinite(factor)):
        raise ModelConfigError(f"config.json has impossible {rope.kind} rope parameters.")
    return angles, factor


def _scaled(rope: RopeConfig, served_tokens: int) -> tuple[Tensor, float]:
    if rope.kind == "dynamic":
        return _dynamic(rope, served_tokens)
    if rope.kind == "longrope":
        return _longrope(rope, served_tokens)
    return _OF_ANY_LENGTH[rope.kind](rope)


def _wavelength_powers(rope: RopeConfig, theta: float | None = None) -> Tensor:
    """The base, raised to 2i / rotary_dim for each pair i (arXiv 2104.09864, section 3.2.2)."""
    exponents = torch.arange(0, rope.rotary_dim, 2, dtype=torch.int64).float() / rope.rotary_dim
    return (rope.theta if theta is None else theta) ** exponents


def _default(rope: RopeConfig) -> tuple[Tensor, float]:
    return 1.0 / _wavelength_powers(rope), 1.0


def _linear(rope: RopeConfig) -> tuple[Tensor, float]:
    """Position interpolation (arXiv 2306.15595)."""
    return 1.0 / _wavelength_powers(rope) / rope.number("factor"), 1.0


def _dynamic(rope: RopeConfig, served_tokens: int) -> tuple[Tensor, float]:
    """NTK-aware scaling of theta, as far as the served context is longer (arXiv 2309.00071)."""
    factor = rope.number("factor")
    length = max(served_tokens, rope.max_positions)
    stretch = factor * length / rope.max_positions - (factor - 1)
    theta = rope.theta * stretch ** (rope.rotary_dim / (rope.rotary_dim - 2))
    return 1.0 / _wavelength_powers(rope, theta), 1.0


def _llama3(rope: RopeConfig) -> tuple[Tensor, float]:
    """Short wavelengths stay, long ones are stretched, in between it is blended (Llama 3.1)."""
    factor, original = rope.number("factor"), rope.original_positions
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    plain = 1.0 / _wavelength_powers(rope)
    wavelengths = 2 * math.pi / plain
    blend = (original / wavelengths - low) / (high - low)
    blended = (1 - blend) * plain / factor + blend * plain
    stretched = torch.where(wavelengths > original / low, plain / factor, blended)
    return torch.where(wavelengths < original / high, plain, stretched), 1.0


def _yarn(rope: RopeConfig) -> tuple[Tensor, float]:
    """YaRN (arXiv 2309.00071, sections 3.2 to 3.4)."""
    factor = rope.numbers.get("factor", rope.max_positions / rope.original_positions)
    powers = _wavelength_powers(rope)
    low, high = _yarn_ramp(rope)
    ramp = ((torch.arange(rope.rotary_dim // 2).float() - low) / (high - low)).clamp(0, 1)
    stretched = ramp / (factor * powers) + (1 - ramp) / powers
    return stretched, _yarn_attention_factor(rope, factor)


def _yarn_ramp(rope: RopeConfig) -> tuple[float, float]:
    """Between which pairs the blend runs: those that turn `beta_fast` and `beta_slow` times."""

    def pair_that_turns(turns: float) -> float:
        ratio = rope.original_positions / (turns * 2 * math.pi)
        return rope.rotary_dim * math.log(ratio) / (2 * math.log(rope.theta))

    low = pair_that_turns(rope.numbers.get("beta_fast", 32.0))
    high = pair_that_turns(rope.numbers.get("beta_slow", 1.0))
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rope.rotary_dim - 1)
    return low, high + 0.001 if low == high else high


def _yarn_attention_factor(rope: RopeConfig, factor: float) -> float:
    given = rope.numbers.get("attention_factor")
    if given is not None:
        return given

    def scale(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    mscale, mscale_all = rope.numbers.get("mscale"), rope.numbers.get("mscale_all_dim")
    return scale(mscale) / scale(mscale_all) if mscale and mscale_all else scale(1.0)


def _longrope(rope: RopeConfig, served_tokens: int) -> tuple[Tensor, float]:
    """LongRoPE (arXiv 2402.13753): a factor of its own for each pair."""
    long = served_tokens > rope.original_positions
    factors = torch.tensor(rope.long_factors if long else rope.short_factors)
    stretch = rope.numbers.get("factor", rope.max_positions / rope.original_positions)
    attention_factor = rope.numbers.get("attention_factor")
    if attention_factor is None:
        attention_factor = (
            math.sqrt(1 + math.log(stretch) / math.log(rope.original_positions))
            if stretch > 1
            else 1.0
        )
    return 1.0 / (factors * _wavelength_powers(rope)), attention_factor


_OF_ANY_LENGTH: Mapping[RopeKind, Callable[[RopeConfig], tuple[Tensor, float]]] = {
    "default": _default,
    "linear": _linear,
    "llama3": _llama3,
    "yarn": _yarn,
}
