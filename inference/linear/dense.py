"""Layers with their weights as they are stored: no quantisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

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

    def dequantized(self) -> Tensor:
        """The weight in float32."""
        return self.weight.detach().float()


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
        return DenseLinear(self.weight)


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
        return DenseLinear(self._place(weight()), None if bias is None else self._place(bias))

    def build_embedding(self, name: str, weight: LoadTensor) -> Embedding:  # noqa: ARG002
        """Make an embedding."""
        return DenseEmbedding(self._place(weight()))

    def finish(self) -> None:
        """Nothing is cached."""

    def _place(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.dtype)
