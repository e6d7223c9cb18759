"""Tensors and layers out of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.checkpoint.source import CheckpointFolder
from inference.checkpoint.weights import Weights
from inference.errors import CheckpointError
from inference.linear.schemes import linear_scheme

_CPU = torch.device("cpu")


def test_fused_layers_lie_over_each_other(tmp_path: Path) -> None:
    tensors = {"q.weight": torch.randn(4, 6), "k.weight": torch.randn(2, 6)}
    tensors |= {"q.bias": torch.randn(4), "k.bias": torch.randn(2)}
    layer = _weights(tmp_path, tensors).fused_linear(["q", "k"], [4, 2], 6, bias=True)
    x = torch.randn(3, 6)
    expected = torch.cat(
        [x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"] for name in "qk"], dim=-1
    )
    torch.testing.assert_close(layer(x), expected)


def test_a_dense_layer_on_a_cpu_is_the_mapped_file(tmp_path: Path) -> None:
    weights = _weights(tmp_path, {"o.weight": torch.randn(4, 6)})
    mapped = weights.source.load("o.weight")
    layer = weights.linear("o", 4, 6)
    assert layer.weight.data_ptr() == mapped.data_ptr()


def test_layers_stacked_in_one_tensor(tmp_path: Path) -> None:
    tensors = {f"{name}.weight": torch.randn(2, 3) for name in ("a", "b")}
    stacked = _weights(tmp_path, tensors).stacked(["b", "a"], 2, 3)
    assert torch.equal(stacked, torch.stack([tensors["b.weight"], tensors["a.weight"]]))


def test_a_misshapen_tensor_is_named(tmp_path: Path) -> None:
    weights = _weights(tmp_path, {"o.weight": torch.randn(4, 6), "norm": torch.randn(5)})
    with pytest.raises(CheckpointError, match=r"o\.weight has the shape \[4, 6\].* \[6, 6\]"):
        weights.linear("o", 6, 6)
    with pytest.raises(CheckpointError, match="norm has the shape"):
        weights.tensor("norm", (6,))
    with pytest.raises(CheckpointError, match=r"o\.weight has the shape"):
        weights.embedding("o", 1 << 31, 1 << 31)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks the tensor v\.weight"):
        _weights(tmp_path, {"o.weight": torch.randn(4, 6)}).linear("v", 4, 6)


def test_numbers_without_a_fraction_are_no_weights(tmp_path: Path) -> None:
    weights = _weights(tmp_path, {"o.weight": torch.ones(4, 6, dtype=torch.int8)})
    with pytest.raises(CheckpointError, match="is stored as"):
        weights.linear("o", 4, 6)


def test_fused_layers_of_several_dtypes_are_refused(tmp_path: Path) -> None:
    tensors = {"q.weight": torch.randn(4, 6), "k.weight": torch.randn(2, 6).half()}
    with pytest.raises(CheckpointError, match="several dtypes"):
        _weights(tmp_path, tensors).fused_linear(["q", "k"], [4, 2], 6)


def test_progress_grows_to_one(tmp_path: Path) -> None:
    seen: list[float] = []
    tensors = {"a.weight": torch.randn(4, 6), "b": torch.randn(3), "unused": torch.randn(100)}
    save_file(tensors, tmp_path / "model.safetensors")
    scheme = linear_scheme("none", device=_CPU, dtype=torch.float32)
    weights = Weights(
        CheckpointFolder(tmp_path),
        device=_CPU,
        dtype=torch.float32,
        scheme=scheme,
        on_progress=seen.append,
    )
    weights.linear("a", 4, 6)
    weights.tensor("b", (3,))
    assert 0 < seen[0] < seen[1] < 1
    weights.finish()
    assert seen[-1] == 1.0


def _weights(folder: Path, tensors: dict[str, Tensor]) -> Weights:
    save_file(tensors, folder / "model.safetensors")
    scheme = linear_scheme("none", device=_CPU, dtype=torch.float32)
    return Weights(CheckpointFolder(folder), device=_CPU, dtype=torch.float32, scheme=scheme)
