"""Llama 2, 3 and 3.x, SmolLM 2, and what was distilled into Llama."""

from __future__ import annotations

from inference.models.builder import DecoderBuilder


class Llama(DecoderBuilder):
    """Llama (arXiv 2302.13971, 2407.21783)."""
