"""Builds a decoder from a checkpoint: Llama's way, with a method for each thing families vary."""

from __future__ import annotations

import math

import torch
from torch import nn

from inference.attention.interface import AttentionSpec
from inference.checkpoint.weights import Weights
from inference.config import ModelConfig
from inference.layers.attention import Attention
from inference.layers.mlp import GatedMLP
from inference.layers.norm import RMSNorm, stack_head_weights
from inference.layers.rotary import Rotary
from inference.linear.interface import Embedding, Linear
from inference.models.base import CausalLM
from inference.models.decoder import Decoder, DecoderLayer, DecoderParts
from inference.rope_config import RopeConfig


class DecoderBuilder:
    """Builds Llama and whatever differs from it in what the methods say.

    Args:
        config: the model's shape.
        weights: its checkpoint.
        served_tokens: the longest context that will be served.
    """

    def __init__(self, config: ModelConfig, weights: Weights, served_tokens: int) -> None:
        self.config = config
        self.weights = weights
        self.served_tokens = served_tokens
        self.prefix = next(
            (prefix for prefix in self.prefixes() if weights.has(f"{prefix}embed_tokens.weight")),
            self.prefixes()[0],
        )

    def build(self) -> CausalLM:
        """Build the model.

        Raises:
            CheckpointError: a tensor is missing, misshapen, or cannot be read.
            ModelConfigError: the configuration contradicts itself.
            UnsupportedModelError: the configuration asks for what the engine does not have.
        """
        config = self.config
        embedding = self.weights.embedding(
            f"{self.prefix}embed_tokens", config.vocab_size, config.hidden_size
        )
        # Before the layers: while a tied, quantised head is made, its weights are there twice.
        head = self.head(embedding)
        parts = DecoderParts(
            embedding=embedding,
            layers=[self.layer(index) for index in range(config.num_layers)],
            norm=self.norm(f"{self.prefix}norm", config.hidden_size),
            head=head,
            rotaries=[self._rotary(rope) for rope in self.ropes()],
            rotary_of_layer=[self.rope_of_layer(index) for index in range(config.num_layers)],
            embedding_scale=self.embedding_scale(),
            logit_softcap=config.fields.optional_number("final_logit_softcapping"),
        )
        return Decoder(config, parts)

    # What families vary.

    def prefixes(self) -> tuple[str, ...]:
        """What the names of the decoder's tensors may begin with; the first that fits counts."""
        return ("model.", "")

    def ropes(self) -> list[RopeConfig]:
        """The kinds of rotary positions that the layers take."""
        return [self.config.rope]

    def rope_of_layer(self, index: int) -> int | None:  # noqa: ARG002
        """Which of `ropes` a layer takes; None: it knows no positions."""
        return 0

    def sliding_window(self, index: int) -> int | None:  # noqa: ARG002
        """How many tokens a query of this layer sees; None: all."""
        return None

    def attention_scale(self) -> float:
        """What query times key is multiplied by."""
        return 1.0 / math.sqrt(self.config.head_dim)

    def attention_softcap(self) -> float | None:
        """The cap on attention scores; None: no cap."""
        return None

    def embedding_scale(self) -> float:
        """What embeddings are multiplied by."""
        return 1.0

    def has_query_key_bias(self) -> bool:
        """Whether the projections to queries, keys and values have biases."""
        return self.config.fields.flag("attention_bias")

    def has_attention_output_bias(self) -> bool:
        """Whether the projection back from attention has a bias."""
        return self.config.fields.flag("attention_bias")

    def has_query_key_norm(self) -> bool:
        """Whether the heads of queries and keys are normalised."""
        return False

    def norm_weights_are_differences(self) -> bool:
        """Whether norms store their weight's difference from 1."""
        return False

    def layer(self, index: int) -> DecoderLayer:
        """Build a layer."""
        prefix, hidden_size = self.layer_prefix(index), self.config.hidden_size
        return DecoderLayer(
            attention_norm=self.norm(f"{prefix}input_layernorm", hidden_size),
            attention=self.attention(index),
            mlp_norm=self.norm(f"{prefix}post_attention_layernorm", hidden_size),
            mlp=self.mlp(index),
        )

    def query_key_value(self, index: int) -> Linear:
        """Build the projection to queries, keys and values."""
        config, prefix = self.config, f"{self.layer_prefix(index)}self_attn."
        key_features = config.num_kv_heads * config.head_dim
        return self.weights.fused_linear(
            [f"{prefix}q_proj", f"{prefix}k_proj", f"{prefix}v_proj"],
            [config.num_heads * config.head_dim, key_features, key_features],
            config.hidden_size,
            bias=self.has_query_key_bias(),
        )

    def mlp(self, index: int) -> nn.Module:
        """Build the feed-forward layer."""
        return self.gated_mlp(f"{self.layer_prefix(index)}mlp.", self.config.intermediate_size)

    # What they have in common.

    def layer_prefix(self, index: int) -> str:
        """What the names of a layer's tensors begin with."""
        return f"{self.prefix}layers.{index}."

    def attention(self, index: int) -> Attention:
        """Build the attention layer."""
        config, prefix = self.config, f"{self.layer_prefix(index)}self_attn."
        spec = AttentionSpec(
            layer=index,
            num_heads=config.num_heads,
            num_kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            scale=self.attention_scale(),
            sliding_window=self.sliding_window(index),
            logit_softcap=self.attention_softcap(),
        )
        output = self.weights.linear(
            f"{prefix}o_proj",
            config.hidden_size,
            config.num_heads * config.head_dim,
            bias=self.has_attention_output_bias(),
        )
        norm = self._query_key_norm(prefix) if self.has_query_key_norm() else None
        return Attention(spec, self.query_key_value(index), output, norm)

    def gated_mlp(self, prefix: str, intermediate_size: int) -> GatedMLP:
        """Build a gated feed-forward layer whose tensors' names begin with `prefix`."""
        hidden_size, bias = self.config.hidden_size, self.config.fields.flag("mlp_bias")
        gate_up = self.weights.fused_linear(
            [f"{prefix}gate_proj", f"{prefix}up_proj"],
            [intermediate_size, intermediate_size],
            hidden_size,
            bias=bias,
        )
        down = self.weights.linear(f"{prefix}down_proj", hidden_size, intermediate_size, bias=bias)
        return GatedMLP(gate_up, down, self.config.activation)

    def norm(self, name: str, size: int) -> RMSNorm:
        """Build a norm."""
        return self._rms_norm(self.weights.tensor(f"{name}.weight", (size,)))

    def head(self, embedding: Embedding) -> Linear:
        """Build the output head: the embedding, or a projection of its own."""
        config = self.config
        if config.tie_embeddings:
            return embedding.output_head()
        # It lies beside the decoder, under the part of the prefix that names the whole model.
        name = f"{self.prefix.removesuffix('model.')}lm_head"
        if not self.weights.has(f"{name}.weight"):
            name = "lm_head"
        return self.weights.linear(name, config.vocab_size, config.hidden_size)

    def _query_key_norm(self, prefix: str) -> RMSNorm:
        config = self.config
        weight = stack_head_weights(
            (self.weights.tensor(f"{prefix}q_norm.weight", (config.head_dim,)), config.num_heads),
            (
                self.weights.tensor(f"{prefix}k_norm.weight", (config.head_dim,)),
                config.num_kv_heads,
            ),
        )
        return self._rms_norm(weight)

    def _rms_norm(self, weight: torch.Tensor) -> RMSNorm:
        plus_one = self.norm_weights_are_differences()
        return RMSNorm(weight, self.config.norm_epsilon, plus_one=plus_one)

    def _rotary(self, rope: RopeConfig) -> Rotary:
        return Rotary(
            rope,
            served_tokens=self.served_tokens,
            device=self.weights.device,
            dtype=self.weights.dtype,
        )
