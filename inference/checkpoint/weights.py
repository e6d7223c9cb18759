"""What models are built from: tensors of a checkpoint, checked and placed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from inference.checkpoint.source import TensorSource
from inference.errors import CheckpointError
from inference.linear.interface import Embedding, Linear, LinearScheme, PackedScheme

OnProgress = Callable[[float], None]
"""Told which share of the checkpoint is loaded, from 0 to 1."""


class Weights:
    """Hands out the checkpoint's tensors and layers under their names there.

    Nothing is loaded before its shape is checked, so a wrong configuration or a hostile file costs
    no memory. Layers that are laid over each other are read straight into their place.

    Args:
        source: the checkpoint.
        device: where tensors go.
        dtype: what the model computes in.
        scheme: makes the linear layers.
        packed: makes the layers that the checkpoint holds quantised already.
        quantized: whether `scheme` quantises; dense layers on a CPU take views of the mapped file.
        on_progress: told how far loading has come.

    Attributes:
        source: the checkpoint.
        device: where tensors go.
        dtype: what the model computes in.
        quantized: whether layers store something else than their weights.
    """

    def __init__(
        self,
        source: TensorSource,
        *,
        device: torch.device,
        dtype: torch.dtype,
        scheme: LinearScheme,
        packed: PackedScheme | None = None,
        quantized: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.source = source
        self.device = device
        self.dtype = dtype
        self.quantized = quantized
        self._scheme = scheme
        self._packed = packed
        self._mapped = device.type == "cpu" and not quantized
        self._on_progress = on_progress
        self._total_bytes = sum(self._stored_bytes(name) for name in source.names())
        self._done_bytes = 0

    def has(self, name: str) -> bool:
        """Whether the checkpoint holds a tensor."""
        return name in self.source.names()

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        """A tensor on the device, in the model's dtype.

        Raises:
            CheckpointError: it is missing, misshapen, or cannot be read.
        """
        return self._read(name, shape).to(device=self.device, dtype=self.dtype)

    def linear(
        self, name: str, out_features: int, in_features: int, *, bias: bool = False
    ) -> Linear:
        """The layer `name`.weight, with `name`.bias where `bias`."""
        return self.fused_linear([name], [out_features], in_features, bias=bias)

    def fused_linear(
        self,
        names: Sequence[str],
        out_features: Sequence[int],
        in_features: int,
        *,
        bias: bool = False,
    ) -> Linear:
        """One layer whose output is that of all the layers named, laid end to end.

        Args:
            names: the layers, without ".weight".
            out_features: the size of each one's output.
            in_features: the size of their common input.
            bias: whether they have biases.

        Raises:
            CheckpointError: a tensor is missing, misshapen, or cannot be read.
        """
        biases = self._biases(names, out_features) if bias else None
        if self._packed is not None and self._packed.holds(names[0]):
            return self._packed.build(names, out_features, in_features, biases)
        tensor_names = [f"{name}.weight" for name in names]
        shapes = [(out, in_features) for out in out_features]
        for name, shape in zip(tensor_names, shapes, strict=True):
            self._check(name, shape)
        linear = self._scheme.build(
            "+".join(names), lambda: self._read_stacked(tensor_names, shapes), biases
        )
        for name in tensor_names:
            self._advance(name)
        return linear

    def stacked(self, names: Sequence[str], out_features: int, in_features: int) -> Tensor:
        """The weights of equal layers in one tensor (layers, out_features, in_features).

        On the device, in the model's dtype; `names` are without ".weight".

        Raises:
            CheckpointError: a tensor is missing, misshapen, or cannot be read.
        """
        tensor_names = [f"{name}.weight" for name in names]
        shapes = [(out_features, in_features)] * len(names)
        for name, shape in zip(tensor_names, shapes, strict=True):
            self._check(name, shape)
        rows = self._read_stacked(tensor_names, shapes).to(device=self.device, dtype=self.dtype)
        for name in tensor_names:
            self._advance(name)
        return rows.view(len(names), out_features, in_features)

    def embedding(self, name: str, vocab_size: int, hidden_size: int) -> Embedding:
        """The table `name`.weight."""
        tensor_name = f"{name}.weight"
        shape = (vocab_size, hidden_size)
        self._check(tensor_name, shape)
        embedding = self._scheme.build_embedding(
            name, lambda: self._read_stacked([tensor_name], [shape])
        )
        self._advance(tensor_name)
        return embedding

    def finish(self) -> None:
        """Call once after the last layer."""
        self._scheme.finish()
        if self._on_progress is not None:
            self._on_progress(1.0)

    def abandon(self) -> None:
        """Call instead where the model could not be built."""
        self._scheme.abandon()

    def _biases(self, names: Sequence[str], out_features: Sequence[int]) -> Tensor:
        parts = [
            self._read(f"{name}.bias", (out,))
            for name, out in zip(names, out_features, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _check(self, name: str, shape: Sequence[int]) -> None:
        stored = self.source.shape(name)
        if stored != tuple(shape):
            raise CheckpointError(
                f"The tensor {name} has the shape {list(stored)}; "
                f"by config.json it must be {list(shape)}."
            )
        if not self.source.dtype(name).is_floating_point:
            raise CheckpointError(
                f"The tensor {name} is stored as {self.source.dtype(name)}, not as numbers with "
                "a fraction, and config.json does not say how it is quantised."
            )

    def _read(self, name: str, shape: Sequence[int]) -> Tensor:
        """A tensor on the CPU as it is stored, in memory of its own."""
        self._check(name, shape)
        tensor = torch.empty(tuple(shape), dtype=self.source.dtype(name))
        self.source.read_into(name, tensor)
        self._advance(name)
        return tensor

    def _read_stacked(self, names: Sequence[str], shapes: Sequence[tuple[int, int]]) -> Tensor:
        """Matrices on the CPU as they are stored, one below the other.

        They are read plainly where they are copied anyway, in order that the mapped pages do not
        count as the process's own memory beside the copy.
        """
        dtypes = {self.source.dtype(name) for name in names}
        if len(names) == 1 and self._mapped and self.dtype in dtypes:
            return self.source.load(names[0])
        if len(dtypes) > 1:
            raise CheckpointError(f"The tensors {', '.join(names)} are stored in several dtypes.")
        rows = [shape[0] for shape in shapes]
        stacked = torch.empty((sum(rows), shapes[0][1]), dtype=dtypes.pop())
        for name, part in zip(names, torch.split(stacked, rows), strict=True):
            self.source.read_into(name, part)
        return stacked

    def _advance(self, name: str) -> None:
        self._done_bytes += self._stored_bytes(name)
        if self._on_progress is not None and self._total_bytes:
            self._on_progress(min(self._done_bytes / self._total_bytes, 1.0))

    def _stored_bytes(self, name: str) -> int:
        return math.prod(self.source.shape(name)) * self.source.dtype(name).itemsize
