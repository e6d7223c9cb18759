"""What models ask of a linear layer and of an embedding, whatever their weights are stored as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from torch import Tensor, nn

Quantization = Literal["none", "int8", "int4"]

LoadTensor = Callable[[], Tensor]
"""Gives a tensor on the CPU in the dtype it is stored in; called only where it is needed."""


class Linear(nn.Module, ABC):
    """x @ weight.T + bias.

    Attributes:
        in_features: size of the last dimension of what comes in.
        out_features: size of the last dimension of what goes out.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features), in the dtype of `x`."""

    def extra_repr(self) -> str:
        """Shape, for `print(model)`."""
        return f"{self.in_features} -> {self.out_features}"


class Embedding(nn.Module, ABC):
    """A table with one row for each token.

    Attributes:
        num_embeddings: rows.
        embedding_dim: size of a row.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim

    @abstractmethod
    def forward(self, token_ids: Tensor) -> Tensor:
        """Map token ids (...) to rows (..., embedding_dim), in the model's dtype."""

    @abstractmethod
    def output_head(self) -> Linear:
        """A linear layer over this very table (tied embeddings), sharing its memory."""

    def extra_repr(self) -> str:
        """Shape, for `print(model)`."""
        return f"{self.num_embeddings} x {self.embedding_dim}"


class LinearScheme(Protocol):
    """Makes layers from weights as they are stored; one kind of layer for each quantisation.

    `name` names the layer in the checkpoint (of fused layers, all of them joined by "+") and is
    unique in a model: quantised weights are kept in the cache under it, and where the cache has
    them the stored tensor is never loaded.
    """

    def build(self, name: str, weight: LoadTensor, bias: Tensor | None = None) -> Linear:
        """Make a linear layer from a weight (out_features, in_features) and a bias."""

    def build_embedding(self, name: str, weight: LoadTensor) -> Embedding:
        """Make an embedding from a table (num_embeddings, embedding_dim)."""

    def finish(self) -> None:
        """Call once after the last layer: writes the cache where there is something new."""

    def abandon(self) -> None:
        """Call instead where a layer could not be made: nothing half written is left behind."""


class PackedScheme(Protocol):
    """Makes layers from a checkpoint that is quantised already."""

    def holds(self, name: str) -> bool:
        """Whether the layer of this name (without ".weight") is stored packed."""

    def build(
        self,
        names: Sequence[str],
        out_features: Sequence[int],
        in_features: int,
        bias: Tensor | None = None,
    ) -> Linear:
        """Make one linear layer of the layers named, their outputs laid end to end.

        Raises:
            CheckpointError: a tensor is missing or misshapen.
            UnsupportedModelError: a layout that cannot be read.
        """
