"""The decoder that all families are instances of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from inference.attention.interface import AttentionStep
from inference.config import ModelConfig
from inference.layers.attention import Attention
from inference.layers.norm import RMSNorm
from inference.layers.rotary import Rotary, Rotation
from inference.linear.interface import Embedding, Linear
from inference.models.base import CausalLM


class DecoderLayer(nn.Module):
    """Attention, then the feed-forward layer, each on what a norm makes of the residual stream.

    Args:
        attention_norm: before attention.
        attention: the attention layer.
        mlp_norm: before the feed-forward layer.
        mlp: the feed-forward layer, (tokens, hidden) to (tokens, hidden).
        after_attention_norm: of what attention returns (Gemma).
        after_mlp_norm: of what the feed-forward layer returns (Gemma).
    """

    def __init__(
        self,
        attention_norm: RMSNorm,
        attention: Attention,
        mlp_norm: RMSNorm,
        mlp: nn.Module,
        *,
        after_attention_norm: RMSNorm | None = None,
        after_mlp_norm: RMSNorm | None = None,
    ) -> None:
        super().__init__()
        self.attention_norm = attention_norm
        self.attention = attention
        self.after_attention_norm = after_attention_norm
        self.mlp_norm = mlp_norm
        self.mlp = mlp
        self.after_mlp_norm = after_mlp_norm

    def forward(self, x: Tensor, rotation: Rotation | None, attention: AttentionStep) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        attended = self.attention(self.attention_norm(x), rotation, attention)
        if self.after_attention_norm is not None:
            attended = self.after_attention_norm(attended)
        x = x + attended
        mapped = self.mlp(self.mlp_norm(x))
        if self.after_mlp_norm is not None:
            mapped = self.after_mlp_norm(mapped)
        output: Tensor = x + mapped
        return output


@dataclass(frozen=True, slots=True)
class DecoderParts:
    """What a decoder is put together from.

    Attributes:
        embedding: of the tokens.
        layers: in order.
        norm: after the last layer.
        head: scores the vocabulary.
        rotaries: the kinds of rotary positions.
        rotary_of_layer: which of them each layer takes; None: it knows no positions.
        embedding_scale: what embeddings are multiplied by.
        logit_softcap: c in c * tanh(logits / c); None: no cap.
    """

    embedding: Embedding
    layers: Sequence[DecoderLayer]
    norm: RMSNorm
    head: Linear
    rotaries: Sequence[Rotary]
    rotary_of_layer: Sequence[int | None]
    embedding_scale: float = 1.0
    logit_softcap: float | None = None


class Decoder(CausalLM):
    """Embedding, layers, norm, output head."""

    def __init__(self, config: ModelConfig, parts: DecoderParts) -> None:
        super().__init__()
        self.config = config
        self.embedding = parts.embedding
        self.layers = nn.ModuleList(parts.layers)
        self.norm = parts.norm
        self.head = parts.head
        self.rotaries = nn.ModuleList(parts.rotaries)
        self.attention_specs = [layer.attention.spec for layer in parts.layers]
        self.graph_safe = all(getattr(part, "graph_safe", True) for part in self.modules())
        self._rotary_of_layer = tuple(parts.rotary_of_layer)
        self._embedding_scale = parts.embedding_scale
        self._logit_softcap = parts.logit_softcap

    def forward(self, token_ids: Tensor, positions: Tensor, attention: AttentionStep) -> Tensor:
        """Run the layers over (tokens,) token ids and positions; (tokens, hidden)."""
        x: Tensor = self.embedding(token_ids)
        if self._embedding_scale != 1.0:
            x = x * self._embedding_scale
        rotations = [rotary(positions) for rotary in self.rotaries]
        for layer, rotary in zip(self.layers, self._rotary_of_layer, strict=True):
            x = layer(x, None if rotary is None else rotations[rotary], attention)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Score the vocabulary for (rows, hidden); (rows, vocab)."""
        logits: Tensor = self.head(hidden)
        if self._logit_softcap is not None:
            logits = (logits / self._logit_softcap).tanh() * self._logit_softcap
        return logits
