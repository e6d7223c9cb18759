"""SmolLM 3."""

from __future__ import annotations

from inference.models.builder import DecoderBuilder


class SmolLM3(DecoderBuilder):
    """SmolLM 3: Llama, in which every fourth layer knows no positions (arXiv 2501.18795)."""

    def rope_of_layer(self, index: int) -> int | None:
        """None in the layers that `no_rope_layers` marks with 0."""
        fields = self.config.fields
        with_rope = fields.items("no_rope_layers", self.config.num_layers)
        if with_rope is not None:
            return 0 if with_rope[index] else None
        return 0 if (index + 1) % fields.size("no_rope_layer_interval", 4) else None

    def sliding_window(self, index: int) -> int | None:
        """In the layers without positions, where it is switched on."""
        fields = self.config.fields
        if not fields.flag("use_sliding_window"):
            return None
        layer_types = fields.items("layer_types", self.config.num_layers)
        slides = (
            self.rope_of_layer(index) is None
            if layer_types is None
            else layer_types[index] == "sliding_attention"
        )
        return fields.optional_size("sliding_window") if slides else None
