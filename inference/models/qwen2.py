"""Qwen 2 and 2.5, and what was distilled into them."""

from __future__ import annotations

from inference.models.builder import DecoderBuilder


class Qwen2(DecoderBuilder):
    """Qwen 2 (arXiv 2407.10671): Llama with biases on queries, keys and values."""

    def has_query_key_bias(self) -> bool:
        """Always."""
        return True

    def has_attention_output_bias(self) -> bool:
        """Never."""
        return False

    def sliding_window(self, index: int) -> int | None:
        """In the upper layers, where it is switched on."""
        fields = self.config.fields
        if not fields.flag("use_sliding_window"):
            return None
        layer_types = fields.items("layer_types", self.config.num_layers)
        slides = (
            index >= fields.count("max_window_layers", 28)
            if layer_types is None
            else layer_types[index] == "sliding_attention"
        )
        return fields.optional_size("sliding_window") if slides else None
