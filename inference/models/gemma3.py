"""Gemma 3: the text model, also out of a multimodal checkpoint."""

from __future__ import annotations

from inference.models.gemma2 import Gemma2
from inference.rope_config import RopeConfig, read_rope

_LOCAL_THETA = 10_000.0
_FULL, _SLIDING = 0, 1


class Gemma3(Gemma2):
    """Gemma 3 (arXiv 2503.19786).

    Gemma 2 with normalised query and key heads instead of caps on scores; layers that slide have
    rotary positions of their own.
    """

    def prefixes(self) -> tuple[str, ...]:
        """Also inside a model that sees pictures, in the older and the newer naming."""
        return ("model.", "language_model.model.", "model.language_model.", "")

    def has_query_key_norm(self) -> bool:
        """Always."""
        return True

    def attention_softcap(self) -> float | None:
        """None."""
        return None

    def window_period(self) -> int:
        """Every sixth layer sees everything, unless the configuration says otherwise."""
        fields = self.config.fields
        return fields.size("sliding_window_pattern", fields.size("_sliding_window_pattern", 6))

    def ropes(self) -> list[RopeConfig]:
        """Of the layers that see everything, and of those that slide."""
        return [self.config.rope, self._local_rope()]

    def rope_of_layer(self, index: int) -> int | None:
        """By what the layer sees."""
        return _SLIDING if self.slides(index) else _FULL

    def _local_rope(self) -> RopeConfig:
        config = self.config
        both = config.fields.mapping("rope_parameters") or {}
        return read_rope(
            {
                "rope_theta": config.fields.number("rope_local_base_freq", _LOCAL_THETA),
                "rope_parameters": {"sliding_attention": both.get("sliding_attention") or {}},
            },
            head_dim=config.head_dim,
            max_positions=config.rope.max_positions,
            layer_type="sliding_attention",
        )
