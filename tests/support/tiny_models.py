"""Tiny random checkpoints of every family, written by transformers itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)

VOCAB_SIZE = 160

_SHAPE: Mapping[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.1,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


@dataclass(frozen=True)
class TinyModel:
    """A configuration of a family.

    Attributes:
        name: family and what is special.
        config: makes the configuration.
        values: what differs from the common shape.
        max_model_len: the longest context that it is served with.
    """

    name: str
    config: Callable[..., PreTrainedConfig]
    values: Mapping[str, Any] = field(default_factory=dict)
    max_model_len: int | None = None

    @property
    def family(self) -> str:
        """The part of the name before the special."""
        return self.name.partition("-")[0]

    def write(self, folder: Path, seed: int = 0) -> Path:
        """Write the checkpoint, all weights random, into `folder`."""
        torch.manual_seed(seed)
        config = self.config(**{**_SHAPE, **self.values})
        model = _make(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # Norms and biases begin as ones and zeros, behind which errors hide.
                if parameter.dim() == 1 and "vision" not in name:
                    parameter.add_(torch.randn_like(parameter) * 0.2)
        model.save_pretrained(folder)
        return folder


def _make(config: PreTrainedConfig) -> PreTrainedModel:
    if isinstance(config, Gemma3Config):
        return Gemma3ForConditionalGeneration(config)
    return AutoModelForCausalLM.from_config(config)


def _gemma3_with_pictures(**values: Any) -> Gemma3Config:
    return Gemma3Config(
        text_config=values,
        vision_config=_VISION,
        mm_tokens_per_image=4,
        tie_word_embeddings=values.get("tie_word_embeddings", True),
    )


def _rope(kind: str, **values: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10_000.0, **values}}


_LLAMA3_ROPE = _rope(
    "llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
_LONGROPE = {
    "head_dim": 12,
    "original_max_position_embeddings": 32,
    **_rope(
        "longrope",
        factor=16.0,
        short_factor=[1.0, 1.05, 1.1, 1.2, 1.3, 1.4],
        long_factor=[1.0, 1.5, 2.5, 4.0, 9.0, 16.0],
    ),
}
_GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 24}
_GEMMA3_ROPES = {
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    }
}
_ONE_SEES_ALL = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
_MOE = {"moe_intermediate_size": 24, "num_experts": 8, "num_experts_per_tok": 3, "head_dim": 16}

TINY_MODELS: tuple[TinyModel, ...] = (
    TinyModel("llama-gqa", LlamaConfig),
    TinyModel(
        "llama-mqa-tied", LlamaConfig, {"num_key_value_heads": 1, "tie_word_embeddings": True}
    ),
    TinyModel("llama-mha-head-dim", LlamaConfig, {"num_key_value_heads": 4, "head_dim": 20}),
    TinyModel("llama-biases", LlamaConfig, {"attention_bias": True, "mlp_bias": True}),
    TinyModel("llama-llama3-rope", LlamaConfig, _LLAMA3_ROPE),
    TinyModel("llama-linear-rope", LlamaConfig, _rope("linear", factor=4.0)),
    TinyModel(
        "llama-dynamic-rope",
        LlamaConfig,
        {**_rope("dynamic", factor=3.0), "max_position_embeddings": 64},
        max_model_len=120,
    ),
    TinyModel("qwen2-gqa", Qwen2Config),
    TinyModel("qwen2-tied", Qwen2Config, {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    TinyModel(
        "qwen2-yarn",
        Qwen2Config,
        {
            **_rope("yarn", factor=4.0, original_max_position_embeddings=64),
            "max_position_embeddings": 256,
        },
    ),
    TinyModel(
        "qwen2-window",
        Qwen2Config,
        {"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1},
    ),
    TinyModel("qwen3-gqa", Qwen3Config, {"head_dim": 16}),
    TinyModel(
        "qwen3-tied-biases",
        Qwen3Config,
        {"head_dim": 8, "tie_word_embeddings": True, "attention_bias": True},
    ),
    TinyModel("qwen3_moe-normalized", Qwen3MoeConfig, {**_MOE, "norm_topk_prob": True}),
    TinyModel(
        "qwen3_moe-some-layers",
        Qwen3MoeConfig,
        {**_MOE, "mlp_only_layers": [0], "num_key_value_heads": 1, "tie_word_embeddings": True},
    ),
    TinyModel("mistral-window", MistralConfig, {"sliding_window": 24}),
    TinyModel("mistral-head-dim", MistralConfig, {"sliding_window": None, "head_dim": 20}),
    TinyModel("smollm3-nope", SmolLM3Config, {"no_rope_layers": [1, 0, 1]}),
    TinyModel(
        "smollm3-window",
        SmolLM3Config,
        {
            "no_rope_layer_interval": 2,
            "use_sliding_window": True,
            "sliding_window": 20,
            "tie_word_embeddings": False,
        },
    ),
    TinyModel("phi3-plain", Phi3Config),
    TinyModel("phi3-window", Phi3Config, {"sliding_window": 24, "num_key_value_heads": 4}),
    TinyModel("phi3-long", Phi3Config, _LONGROPE),
    TinyModel("phi3-short", Phi3Config, _LONGROPE, max_model_len=32),
    TinyModel(
        "phi3-partial-tied",
        Phi3Config,
        {
            "hidden_size": 64,
            "tie_word_embeddings": True,
            **_rope("default", partial_rotary_factor=0.75),
        },
    ),
    TinyModel("gemma2-window", Gemma2Config, _GEMMA),
    TinyModel(
        "gemma2-caps",
        Gemma2Config,
        {
            **_GEMMA,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
            "num_key_value_heads": 1,
        },
    ),
    TinyModel(
        "gemma3-text",
        Gemma3TextConfig,
        {**_GEMMA, **_GEMMA3_ROPES, "sliding_window_pattern": 2, "final_logit_softcapping": 5.0},
    ),
    TinyModel(
        "gemma3-untied",
        Gemma3TextConfig,
        {**_GEMMA, **_ONE_SEES_ALL, "tie_word_embeddings": False, "num_key_value_heads": 4},
    ),
    TinyModel(
        "gemma3-pictures", _gemma3_with_pictures, {**_GEMMA, **_GEMMA3_ROPES, **_ONE_SEES_ALL}
    ),
)

ONE_OF_EACH_FAMILY = tuple({tiny.family: tiny for tiny in reversed(TINY_MODELS)}.values())
