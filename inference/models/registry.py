"""From a model folder to a model that can run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch

from inference.checkpoint.source import CheckpointFolder
from inference.checkpoint.weights import OnProgress, Weights
from inference.config import ModelConfig
from inference.errors import UnsupportedModelError
from inference.linear.interface import Quantization
from inference.linear.packed import packed_scheme
from inference.linear.schemes import linear_scheme
from inference.models.base import CausalLM
from inference.models.builder import DecoderBuilder

# Architectures by the name in config.json: the module, imported when first needed, and its builder.
_BUILDERS: Mapping[str, tuple[str, str]] = {
    "Gemma2ForCausalLM": ("gemma2", "Gemma2"),
    "Gemma3ForCausalLM": ("gemma3", "Gemma3"),
    "Gemma3ForConditionalGeneration": ("gemma3", "Gemma3"),
    "LlamaForCausalLM": ("llama", "Llama"),
    "MistralForCausalLM": ("mistral", "Mistral"),
    "Phi3ForCausalLM": ("phi3", "Phi3"),
    "Qwen2ForCausalLM": ("qwen2", "Qwen2"),
    "Qwen3ForCausalLM": ("qwen3", "Qwen3"),
    "Qwen3MoeForCausalLM": ("qwen3_moe", "Qwen3Moe"),
    "SmolLM3ForCausalLM": ("smollm3", "SmolLM3"),
}


def load_model(
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    quantization: Quantization = "none",
    cache_folder: Path | None = None,
    on_progress: OnProgress | None = None,
    max_model_len: int | None = None,
) -> CausalLM:
    """Load a model.

    Args:
        folder: the model folder: config.json and safetensors.
        device: where the model lives.
        dtype: what it computes in.
        quantization: what its weights are stored as.
        cache_folder: where quantised weights are kept when `folder` cannot be written.
        on_progress: told which share is loaded, from 0 to 1.
        max_model_len: the longest context that will be served, in tokens; None: what the model was
            made for. Models with long and short rotary factors choose theirs by it.

    Raises:
        ModelError: the folder cannot be served; the message says why.
    """
    config = ModelConfig.from_folder(folder)
    builder = _builder(config.architecture)
    source = CheckpointFolder(folder)
    packed = packed_scheme(config.quantization, source, device=device, dtype=dtype)
    weights = Weights(
        source,
        device=device,
        dtype=dtype,
        scheme=linear_scheme(
            quantization,
            device=device,
            dtype=dtype,
            model_folder=folder,
            cache_folder=cache_folder,
        ),
        packed=packed,
        quantized=quantization != "none" or packed is not None,
        on_progress=on_progress,
    )
    try:
        model = builder(config, weights, max_model_len or config.context_tokens).build()
        weights.finish()
    except BaseException:
        weights.abandon()
        raise
    return model.eval()


def supported_architectures() -> list[str]:
    """The names that `config.json` may have under `architectures`."""
    return sorted(_BUILDERS)


def _builder(architecture: str) -> type[DecoderBuilder]:
    if architecture not in _BUILDERS:
        raise UnsupportedModelError(
            f"The engine does not know the architecture {architecture!r}. "
            f"It serves {', '.join(supported_architectures())}."
        )
    module, name = _BUILDERS[architecture]
    builder: type[DecoderBuilder] = getattr(import_module(f"inference.models.{module}"), name)
    return builder
