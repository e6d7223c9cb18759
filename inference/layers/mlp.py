"""The gated feed-forward layer (arXiv 2002.05202)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn import functional

from inference.linear.interface import Linear


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu_tanh": _gelu_tanh,
}


class GatedMLP(nn.Module):
    """down(activation(gate(x)) * up(x)).

    Args:
        gate_up: one projection to gate and up, laid end to end.
        down: the projection back.
        activation: a key of `ACTIVATIONS`.

    Attributes:
        activation: the function of that name.
    """

    def __init__(self, gate_up: Linear, down: Linear, activation: str) -> None:
        super().__init__()
        self.gate_up = gate_up
        self.down = down
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        mapped: Tensor = self.down(self.activation(gate).mul_(up))
        return mapped
