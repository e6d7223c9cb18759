"""The attention layer of a decoder, up to where keys and values meet the cache."""

from __future__ import annotations

from torch import Tensor, nn

from inference.attention.interface import AttentionSpec, AttentionStep
from inference.layers.norm import RMSNorm
from inference.layers.rotary import Rotation, rotate
from inference.linear.interface import Linear


class Attention(nn.Module):
    """Grouped-query attention (arXiv 2305.13245).

    Args:
        spec: heads, scale and window.
        query_key_value: one projection to all heads: queries, then keys, then values.
        output: the projection back.
        query_key_norm: normalises query and key heads before they are rotated (Qwen 3, Gemma 3).

    Attributes:
        spec: heads, scale and window.
    """

    def __init__(
        self,
        spec: AttentionSpec,
        query_key_value: Linear,
        output: Linear,
        query_key_norm: RMSNorm | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.query_key_value = query_key_value
        self.output = output
        self.query_key_norm = query_key_norm

    def forward(self, x: Tensor, rotation: Rotation | None, attention: AttentionStep) -> Tensor:
        """Attend.

        Args:
            x: (tokens, hidden).
            rotation: of each token; None: this layer knows no positions.
            attention: where keys and values are kept.

        Returns:
            (tokens, hidden).
        """
        spec, tokens = self.spec, x.shape[0]
        kv_heads = spec.num_kv_heads
        heads = self.query_key_value(x).view(tokens, -1, spec.head_dim)
        query_key = heads[:, :-kv_heads]
        if self.query_key_norm is not None:
            query_key = self.query_key_norm(query_key)
        if rotation is not None:
            query_key = rotate(query_key, rotation)
        attended = attention.attend(
            spec, query_key[:, :-kv_heads], query_key[:, -kv_heads:], heads[:, -kv_heads:]
        )
        projected: Tensor = self.output(attended.reshape(tokens, -1))
        return projected
