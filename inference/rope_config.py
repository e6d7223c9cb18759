"""How a model's rotary positions are configured, in the old and the new form of `config.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from inference.errors import ModelConfigError, UnsupportedModelError

RopeKind = Literal["default", "linear", "dynamic", "yarn", "longrope", "llama3"]

_ABOVE_ZERO = (
    "rope_theta",
    "factor",
    "partial_rotary_factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
)


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary positions (arXiv 2104.09864) and how they are stretched.

    Attributes:
        kind: how the frequencies are stretched.
        theta: base of the wavelengths.
        rotary_dim: how many of a head's values are rotated, from the first on.
        max_positions: `max_position_embeddings`.
        original_positions: the context before it was stretched.
        context_tokens: how far the positions reach.
        numbers: further parameters, by the names that `config.json` gives them.
        short_factors: of longrope, for contexts up to `original_positions`.
        long_factors: of longrope, beyond.
        truncate: of yarn: round the borders of the ramp to whole dimensions.
    """

    kind: RopeKind
    theta: float
    rotary_dim: int
    max_positions: int
    original_positions: int
    context_tokens: int
    numbers: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    short_factors: tuple[float, ...] = ()
    long_factors: tuple[float, ...] = ()
    truncate: bool = True

    def number(self, key: str) -> float:
        """A parameter that this kind cannot do without.

        Raises:
            ModelConfigError: it is not there.
        """
        value = self.numbers.get(key)
        if value is None:
            raise ModelConfigError(f"config.json has {self.kind} rope without {key}.")
        return value


def read_rope(
    raw: Mapping[str, object],
    *,
    head_dim: int,
    max_positions: int,
    layer_type: str = "full_attention",
) -> RopeConfig:
    """Read `rope_parameters`, or `rope_theta` and `rope_scaling`, of a model's configuration.

    Args:
        raw: the text model's part of `config.json`.
        head_dim: size of a head.
        max_positions: `max_position_embeddings`.
        layer_type: which parameters to take where the layers have several.

    Raises:
        ModelConfigError: a value is missing or of the wrong kind.
        UnsupportedModelError: a kind of scaling that the engine does not know.
    """
    parameters = _parameters(raw, layer_type)
    kind = _kind(parameters)
    numbers = _numbers(parameters)
    rotary_dim = int(head_dim * numbers.get("partial_rotary_factor", 1.0))
    if rotary_dim < 2 or rotary_dim % 2 or rotary_dim > head_dim:
        raise ModelConfigError(f"config.json rotates {rotary_dim} of a head's {head_dim} values.")
    original = int(numbers.get("original_max_position_embeddings", max_positions))
    context_tokens = max_positions
    if kind == "yarn":
        context_tokens = max(max_positions, int(original * numbers.get("factor", 1.0)))
    rope = RopeConfig(
        kind=kind,
        theta=numbers.get("rope_theta", 10_000.0),
        rotary_dim=rotary_dim,
        max_positions=max_positions,
        original_positions=original,
        context_tokens=context_tokens,
        numbers=MappingProxyType(numbers),
        short_factors=_factors(parameters, "short_factor"),
        long_factors=_factors(parameters, "long_factor"),
        truncate=parameters.get("truncate") is not False,
    )
    if kind == "longrope" and not (
        len(rope.short_factors) == len(rope.long_factors) == rotary_dim // 2
    ):
        raise ModelConfigError(f"config.json must have {rotary_dim // 2} factors of longrope.")
    return rope


def _parameters(raw: Mapping[str, object], layer_type: str) -> dict[str, object]:
    """All parameters in one mapping, whichever form they have."""
    new = raw.get("rope_parameters")
    old = raw.get("rope_scaling")
    for value in (new, old):
        if value is not None and not isinstance(value, dict):
            raise ModelConfigError(f"config.json has rope parameters {value!r}.")
    parameters: dict[str, object] = {
        key: raw[key] for key in ("rope_theta", "partial_rotary_factor") if raw.get(key) is not None
    }
    for value in (old, new):
        if isinstance(value, dict):
            of_layers = value.get(layer_type)
            own = of_layers if isinstance(of_layers, dict) else value
            parameters.update((key, item) for key, item in own.items() if item is not None)
    # Phi-3 keeps it outside, and there it counts.
    outside = raw.get("original_max_position_embeddings")
    if outside is not None:
        parameters["original_max_position_embeddings"] = outside
    return parameters


def _kind(parameters: Mapping[str, object]) -> RopeKind:
    name = str(parameters.get("rope_type") or parameters.get("type") or "default")
    if "long_factor" in parameters:
        name = "longrope"  # early checkpoints call it "su" or "yarn"
    for kind in get_args(RopeKind):
        if name == kind:
            return kind  # type: ignore[no-any-return]
    raise UnsupportedModelError(f"The engine does not know rotary positions of kind {name!r}.")


def _numbers(parameters: Mapping[str, object]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value) or (value <= 0 and key in _ABOVE_ZERO):
            raise ModelConfigError(f"config.json has {key} = {value!r}; it must be above 0.")
        numbers[key] = float(value)
    return numbers


def _factors(parameters: Mapping[str, object], key: str) -> tuple[float, ...]:
    values = parameters.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(
        isinstance(value, int | float) and math.isfinite(value) and value > 0 for value in values
    ):
        raise ModelConfigError(f"config.json must have a list of numbers as {key}.")
    return tuple(float(value) for value in values)
