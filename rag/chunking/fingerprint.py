"""Which embeddings of a library belong together: those of one model over one way of chunking."""

from __future__ import annotations

from dataclasses import replace

from core.embeddings import EmbeddingFingerprint
from rag.chunking.chunker import CHUNKER_VERSION
from rag.ports import Embedder


def passage_fingerprint(embedder: Embedder) -> EmbeddingFingerprint:
    """Return the fingerprint of an embedder's vectors of this chunker's passages.

    Raises:
        EmbeddingError: the embedder's model is not there, so that nobody knows its revision.
    """
    return replace(embedder.fingerprint, chunker_version=CHUNKER_VERSION)
