"""Gemma 2."""

from __future__ import annotations

import math

import torch

from inference.errors import UnsupportedModelError
from inference.models.base import CausalLM
from inference.models.builder import DecoderBuilder
from inference.models.decoder import DecoderLayer


class Gemma2(DecoderBuilder):
    """Gemma 2 (arXiv 2408.00118).

    Norms before and after each part, whose weights are stored as differences from 1; scaled
    embeddings; caps on scores and logits; every other layer sees a sliding window.
    """

    def build(self) -> CausalLM:
        """Build the model; see `DecoderBuilder.build`."""
        if self.config.fields.flag("use_bidirectional_attention"):
            raise UnsupportedModelError("The engine does not serve models that look ahead.")
        return super().build()

    def norm_weights_are_differences(self) -> bool:
        """Always."""
        return True

    def embedding_scale(self) -> float:
        """The root of the hidden size, rounded as the model was trained with it."""
        return torch.tensor(math.sqrt(self.config.hidden_size), dtype=self.weights.dtype).item()

    def attention_scale(self) -> float:
        """Set apart from the size of a head."""
        return 1.0 / math.sqrt(self.config.fields.number("query_pre_attn_scalar", 256.0))

    def attention_softcap(self) -> float | None:
        """As configured."""
        return self.config.fields.optional_number("attn_logit_softcapping")

    def slides(self, index: int) -> bool:
        """Whether a layer sees a sliding window; see `window_period`."""
        layer_types = self.config.fields.items("layer_types", self.config.num_layers)
        if layer_types is not None:
            return layer_types[index] == "sliding_attention"
        return bool((index + 1) % self.window_period())

    def window_period(self) -> int:
        """After how many layers comes one that sees everything."""
        return 2

    def sliding_window(self, index: int) -> int | None:
        """In the layers that slide."""
        return self.config.fields.optional_size("sliding_window") if self.slides(index) else None

    def layer(self, index: int) -> DecoderLayer:
        """Build a layer with four norms."""
        prefix, hidden_size = self.layer_prefix(index), self.config.hidden_size
        return DecoderLayer(
            attention_norm=self.norm(f"{prefix}input_layernorm", hidden_size),
            attention=self.attention(index),
            mlp_norm=self.norm(f"{prefix}pre_feedforward_layernorm", hidden_size),
            mlp=self.mlp(index),
            after_attention_norm=self.norm(f"{prefix}post_attention_layernorm", hidden_size),
            after_mlp_norm=self.norm(f"{prefix}post_feedforward_layernorm", hidden_size),
        )
