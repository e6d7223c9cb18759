"""How the two indexes' scores become one.

A chunk's score is its cosine with the question plus a bonus for the question's words::

    cosine + (CHUNK_WORDS * c + PARENT_WORDS * p) ** 2

where `c` is the chunk's BM25 and `p` its parent's, each as a share of its ceiling: what a text
would approach that held every word of the question many times. A convex combination of scaled
scores beats rank fusion (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
Retrieval", arXiv 2210.11934). Scaling by the ceiling rather than by the best score of the search,
and squaring, lets words weigh much where a passage holds most of them, and little where the
question says it in other words; one rule serves questions, paraphrases and single names.

The weights were chosen on three sets over the fifteen FairytaleQA books: the 450 questions, 44 of
them rewritten without the story's words, and 300 single words. `tests/benchmarks/retrieval.py`
measures the first and others again.
"""

from __future__ import annotations

import numpy as np

from rag.ports import Float32Array

CHUNK_WORDS = 0.5
PARENT_WORDS = 1.0


def word_shares(
    chunk_scores: Float32Array,
    parent_scores: Float32Array,
    chunk_ceiling: float,
    parent_ceiling: float,
) -> Float32Array:
    """Return for each chunk `CHUNK_WORDS * c + PARENT_WORDS * p`; shapes (n,), 0 to 1.5."""
    shares: Float32Array = CHUNK_WORDS * (chunk_scores / max(chunk_ceiling, 1e-9)) + (
        PARENT_WORDS * (parent_scores / max(parent_ceiling, 1e-9))
    )
    return shares


def fuse(cosines: Float32Array, shares: Float32Array) -> Float32Array:
    """Return the fused score of each chunk; shapes (n,). A cosine that is NaN counts as 0."""
    fused: Float32Array = np.nan_to_num(cosines, nan=0.0) + shares**2
    return fused
