"""Vector stores: nearest neighbours of a question, in the library or in a part of it."""

from rag.vectors.exact import ExactVectorStore
from rag.vectors.factory import StoreKind, VectorStoreFactory
from rag.vectors.live import VectorIndex
from rag.vectors.usearch_store import UsearchVectorStore

__all__ = [
    "ExactVectorStore",
    "StoreKind",
    "UsearchVectorStore",
    "VectorIndex",
    "VectorStoreFactory",
]
