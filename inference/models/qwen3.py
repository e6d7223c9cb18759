"""Qwen 3, dense."""

from __future__ import annotations

from inference.models.qwen2 import Qwen2


class Qwen3(Qwen2):
    """Qwen 3 (arXiv 2505.09388): normalised query and key heads instead of biases."""

    def has_query_key_bias(self) -> bool:
        """Only where the configuration says so."""
        return self.config.fields.flag("attention_bias")

    def has_attention_output_bias(self) -> bool:
        """Only where the configuration says so."""
        return self.config.fields.flag("attention_bias")

    def has_query_key_norm(self) -> bool:
        """Always."""
        return True
