"""Mistral."""

from __future__ import annotations

from inference.models.builder import DecoderBuilder


class Mistral(DecoderBuilder):
    """Mistral (arXiv 2310.06825): Llama, with a sliding window in its first version."""

    def sliding_window(self, index: int) -> int | None:  # noqa: ARG002
        """The same in all layers."""
        return self.config.fields.optional_size("sliding_window")
