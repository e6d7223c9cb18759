"""The answer without a model: the sentences of the best passages that come closest to an answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import EmbeddingError
from rag.answers.quotes import Located, Source
from rag.answers.support import Evidence, content_terms
from rag.passages import Passage
from rag.ports import Embedder

MAX_SENTENCES = 3
"""How many sentences an answer quotes at most."""
PASSAGES_READ = 8
MIN_RELATIVE_SCORE = 0.6
"""A sentence is quoted beside the best one where it has at least this part of its score."""
MIN_SENTENCE_CHARACTERS = 12
"""Less is an exclamation or a heading."""
MEANING_WEIGHT = 1.0
PASSAGE_WEIGHT = 0.5

MIN_COVERAGE = 0.5
"""Without a model, the books are said to answer where one passage has this part of the question's
words, each weighted by how rare it is among the passages found,"""
MIN_COSINE = 0.45
"""or comes this close to the question in meaning (all-MiniLM-L6-v2)."""


@dataclass(frozen=True, slots=True)
class Extract:
    """Sentences that answer, as far as sentences can.

    Attributes:
        sentences: the best first; empty where nothing supports an answer.
        coverage: the largest part of the question's words, by weight, that a passage has.
        cosine: the largest similarity of a passage to the question; None without meanings.
    """

    sentences: tuple[Located, ...]
    coverage: float
    cosine: float | None


def extract(
    question: str,
    passages: Sequence[Passage],
    sources: Sequence[Source],
    embedder: Embedder | None,
) -> Extract:
    """Choose the sentences to quote.

    Args:
        question: what was asked.
        passages: what retrieval found, the best first.
        sources: the same passages, taken apart.
        embedder: compares sentences with the question in meaning; None goes without.
    """
    evidence = [Evidence(source, number) for number, source in enumerate(sources[:PASSAGES_READ])]
    weights = _weights(question, evidence)
    coverage = max((_coverage(one, weights) for one in evidence), default=0.0)
    cosine = max((p.cosine for p in passages if p.cosine is not None), default=None)
    if coverage < MIN_COVERAGE and (cosine is None or cosine < MIN_COSINE):
        return Extract((), coverage, cosine)
    ranked = _ranked(question, passages, evidence, weights, embedder)
    best = [place for score, place in ranked if score >= MIN_RELATIVE_SCORE * ranked[0][0]]
    return Extract(tuple(best[:MAX_SENTENCES]), coverage, cosine)


_Weights = dict[str, dict[str, float]]  # by language, then by term


def _weights(question: str, evidence: Sequence[Evidence]) -> _Weights:
    """Weigh the question's words in each language by their rarity among the passages' sentences."""
    sentences = [terms for one in evidence for _, terms in one.sentences]
    found = Counter(term for terms in sentences for term in terms)
    return {
        language: {
            term: math.log(1 + (1 + len(sentences)) / (1 + found[term]))
            for term in content_terms(question, language)
        }
        for language in {one.source.language for one in evidence}
    }


def _share(terms: frozenset[str], weights: dict[str, float]) -> float:
    total = sum(weights.values())
    return sum(weights[term] for term in terms & weights.keys()) / total if total else 0.0


def _coverage(one: Evidence, weights: _Weights) -> float:
    terms = content_terms(one.source.row.text, one.source.language)
    return _share(terms, weights[one.source.language])


def _ranked(
    question: str,
    passages: Sequence[Passage],
    evidence: Sequence[Evidence],
    weights: _Weights,
    embedder: Embedder | None,
) -> list[tuple[float, Located]]:
    places: list[Located] = []
    scores: list[float] = []
    top = max((passage.score for passage in passages), default=0.0)
    for one in evidence:
        prior = passages[one.number].score / top if top > 0 else 0.0
        for span, terms in one.sentences:
            if len(span) >= MIN_SENTENCE_CHARACTERS:
                places.append(one.located(span))
                scores.append(_share(terms, weights[one.source.language]) + PASSAGE_WEIGHT * prior)
    similarity = _similarities(question, [place.text for place in places], embedder)
    total = np.asarray(scores) + MEANING_WEIGHT * similarity
    order = np.argsort(-total, kind="stable")
    return [(float(total[index]), places[index]) for index in order]


def _similarities(
    question: str, sentences: Sequence[str], embedder: Embedder | None
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the cosine of each sentence with the question, shape (n,); zeros without a model."""
    if embedder is None or not sentences:
        return np.zeros(len(sentences), np.float32)
    try:
        vectors = embedder.embed_passages(sentences)
        similarities: np.ndarray[tuple[int], np.dtype[np.float32]] = vectors @ embedder.embed_query(
            question
        )
    except EmbeddingError:
        return np.zeros(len(sentences), np.float32)  # searching said so already
    return similarities
