"""Embedding models, and the engine that runs them."""
