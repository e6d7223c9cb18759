"""Layers with their weights as they are stored: no quantisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.linear import cpu
from inference.linear.interface import Embedding, Linear, LoadTensor


class DenseLinear(Linear):
    """A weight in the model's own dtype."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        return functional.linear(x, self.weight, self.bias)


class HalfLinear(Linear):
    """A weight in bfloat16 or float16, on a CPU that has no instructions to multiply those."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        output = cpu.half_product(x.reshape(-1, self.in_features), self.weight)
        if self.bias is not None:
            output = output + self.bias
        return output.to(x.dtype).view(*x.shape[:-1], self.out_features)


class DenseEmbedding(Embedding):
    """A table in the model's own dtype."""

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight.shape[0], weight.shape[1])
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Map token ids (...) to rows (..., embedding_dim)."""
        return functional.embedding(token_ids, self.weight)

    def output_head(self) -> Linear:
        """A linear layer over this table."""
        return dense_linear(self.weight)


def dense_linear(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """The fastest layer for a weight of this dtype where it is."""
    half = weight.dtype in (torch.bfloat16, torch.float16)
    if half and weight.device.type == "cpu" and not cpu.multiplies_bfloat16():
        return HalfLinear(weight, bias)
    return DenseLinear(weight, bias)


class DenseScheme:
    """Moves each weight to the device in the model's dtype.

    Args:
        device: where the layers live.
        dtype: what they compute in.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype

    def build(self, name: str, weight: LoadTensor, bias: Tensor | None = None) -> Linear:  # noqa: ARG002
        """Make a linear layer."""
        return dense_linear(self._place(weight()), None if bias is None else self._place(bias))

    def build_embedding(self, name: str, weight: LoadTensor) -> Embedding:  # noqa: ARG002
        """Make an embedding."""
        return DenseEmbedding(self._place(weight()))

    def finish(self) -> None:
        """Nothing is cached."""

    def abandon(self) -> None:
        """Nothing is cached."""

    def _place(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.dtype)
