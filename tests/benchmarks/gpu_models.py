"""Models with random weights, made where they are to run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inference.checkpoint.weights import Weights
from inference.config import ModelConfig
from inference.linear.dense import DenseEmbedding, DenseLinear, DenseScheme
from inference.linear.interface import Embedding, Linear
from inference.models.base import CausalLM
from inference.models.llama import Llama
from inference.models.qwen3 import Qwen3

LLAMA_1B: Mapping[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
LLAMA_8B: Mapping[str, object] = {
    **LLAMA_1B,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "head_dim": 128,
    "tie_word_embeddings": False,
}
QWEN3_06B: Mapping[str, object] = {
    **LLAMA_1B,
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "vocab_size": 151_936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "head_dim": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000.0,
}


def in_small(shape: Mapping[str, object]) -> Mapping[str, object]:
    """The same family with hardly any weights."""
    return {
        **shape,
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 2048,
    }


def random_model(shape: Mapping[str, object], device: torch.device, dtype: torch.dtype) -> CausalLM:
    """A model of that shape; nothing passes through the disk or the host's memory."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(dict(shape)))
        config = ModelConfig.from_folder(Path(folder))
    family = Qwen3 if config.architecture == "Qwen3ForCausalLM" else Llama
    weights = _RandomWeights(device, dtype)
    return family(config, weights, config.context_tokens).build().eval()


def weight_bytes(model: CausalLM) -> int:
    """Bytes that one token's pass reads: all weights, a tied embedding once, else only the head."""
    embedding = model.get_submodule("embedding")
    assert isinstance(embedding, DenseEmbedding)
    total = sum(parameter.nbytes for parameter in model.parameters())
    return total if model.config.tie_embeddings else total - embedding.weight.nbytes


class _NoSource:
    """A checkpoint without tensors: there is nothing to read."""

    def names(self) -> Collection[str]:
        return ()

    def shape(self, name: str) -> tuple[int, ...]:
        raise KeyError(name)

    def dtype(self, name: str) -> torch.dtype:
        raise KeyError(name)

    def load(self, name: str) -> Tensor:
        raise KeyError(name)

    def read_into(self, name: str, tensor: Tensor) -> None:
        raise KeyError(name)


class _RandomWeights(Weights):
    """Makes up each tensor that is asked for."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        scheme = DenseScheme(device, dtype)
        super().__init__(_NoSource(), device=device, dtype=dtype, scheme=scheme)

    def has(self, name: str) -> bool:
        return True

    def tensor(self, name: str, shape: Sequence[int]) -> Tensor:
        return torch.ones(tuple(shape), device=self.device, dtype=self.dtype)

    def fused_linear(
        self,
        names: Sequence[str],
        out_features: Sequence[int],
        in_features: int,
        *,
        bias: bool = False,
    ) -> Linear:
        return DenseLinear(self._random(sum(out_features), in_features))

    def embedding(self, name: str, vocab_size: int, hidden_size: int) -> Embedding:
        return DenseEmbedding(self._random(vocab_size, hidden_size))

    def _random(self, rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, device=self.device, dtype=self.dtype) * columns**-0.5
