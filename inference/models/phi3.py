"""Phi 3, 3.5 and 4 (mini)."""

from __future__ import annotations

from torch import nn

from inference.layers.mlp import GatedMLP
from inference.linear.interface import Linear
from inference.models.mistral import Mistral


class Phi3(Mistral):
    """Phi 3 (arXiv 2404.14219): its checkpoints hold fused projections."""

    def query_key_value(self, index: int) -> Linear:
        """One tensor, as it is stored."""
        config = self.config
        heads = config.num_heads + 2 * config.num_kv_heads
        return self.weights.linear(
            f"{self.layer_prefix(index)}self_attn.qkv_proj",
            heads * config.head_dim,
            config.hidden_size,
        )

    def has_attention_output_bias(self) -> bool:
        """Never."""
        return False

    def mlp(self, index: int) -> nn.Module:
        """Gate and up in one tensor, as they are stored."""
        config, prefix = self.config, f"{self.layer_prefix(index)}mlp."
        return GatedMLP(
            self.weights.linear(
                f"{prefix}gate_up_proj", 2 * config.intermediate_size, config.hidden_size
            ),
            self.weights.linear(f"{prefix}down_proj", config.hidden_size, config.intermediate_size),
            config.activation,
        )
