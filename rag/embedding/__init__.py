"""Embedding models, and the engine that runs them."""

from rag.embedding.catalogue import DEFAULT_MODEL, EmbeddingModel, catalogue, find_model
from rag.embedding.engine import EmbeddingEngine, open_embedder
from rag.embedding.model_files import is_ready, prepare

__all__ = [
    "DEFAULT_MODEL",
    "EmbeddingEngine",
    "EmbeddingModel",
    "catalogue",
    "find_model",
    "is_ready",
    "open_embedder",
    "prepare",
]
