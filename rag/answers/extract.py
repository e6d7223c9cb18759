"""The answer without a model: the sentences of the best passages that come closest to an answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.errors import EmbeddingError
from core.text import BLOCK_SEPARATOR, Span
from rag.answers.quotation_marks import QUOTATION_MARKS
from rag.answers.quotes import Located, Source
from rag.answers.support import Evidence, content_terms
from rag.passages import Passage
from rag.ports import Embedder

MAX_SENTENCES = 3
"""How many sentences an answer quotes at most."""
PASSAGES_READ = 8
MIN_RELATIVE_SCORE = 0.6
"""A sentence is quoted beside the best one where it has at least this part of its score."""
MIN_NEW_WORDS = 2
"""A sentence with fewer words that say something, besides the question's own, says nothing new."""
SHORT_SENTENCE_WORDS = 8
"""A sentence with fewer such words is quoted together with a neighbour."""
# Beside a weight of 1 for the question's words that a sentence holds; chosen on every second of the
# FairytaleQA questions and 44 rewritten ones. `tests/benchmarks/answers.py` measures the outcome.
MEANING_WEIGHT = 3.0
"""For the cosine of sentence and question."""
PASSAGE_WEIGHT = 1.5
"""For the passage's score, 1 for the best one."""
NEIGHBOUR_WEIGHT = 0.3
"""For the question's words in a sentence and those beside it: it may say “he” where they name."""

_QUESTION_MARKS = ("?", "？", "؟")
_CLOSERS = "".join(QUOTATION_MARKS) + "’')）"


def extract(
    question: str,
    passages: Sequence[Passage],
    sources: Sequence[Source],
    embedder: Embedder | None,
) -> list[Located]:
    """Return the sentences to quote, the best first.

    Args:
        question: what was asked.
        passages: what retrieval found, the best first; at least one.
        sources: the same passages, taken apart.
        embedder: compares sentences with the question in meaning; None goes without.
    """
    evidence = [Evidence(source, number) for number, source in enumerate(sources[:PASSAGES_READ])]
    ranked = _ranked(question, passages, evidence, embedder)
    if not ranked:
        return [evidence[0].located(None)]  # a list, a table: no sentences to choose from
    chosen: list[Located] = []
    for score, (one, number) in ranked:
        if score < MIN_RELATIVE_SCORE * ranked[0][0] or len(chosen) == MAX_SENTENCES:
            break
        place = one.located(_widened(one, number))
        if not any(_overlap(place, other) for other in chosen):
            chosen.append(place)
    return chosen


_Place = tuple[Evidence, int]  # a sentence of a passage, by number
_Weights = dict[str, dict[str, float]]  # by language, then by term


def _weights(question: str, evidence: Sequence[Evidence]) -> _Weights:
    """Weigh the question's words in each language by their rarity among the passages' sentences.

    The rarity counts twice, as it does where two texts are compared that both weigh their words by
    it (TF-IDF): a book's main names are in every other sentence.
    """
    sentences = [terms for one in evidence for _, terms in one.sentences]
    found = Counter(term for terms in sentences for term in terms)
    return {
        language: {
            term: math.log(1 + (1 + len(sentences)) / (1 + found[term])) ** 2
            for term in content_terms(question, language)
        }
        for language in {one.source.language for one in evidence}
    }


def _share(terms: frozenset[str], weights: dict[str, float]) -> float:
    total = sum(weights.values())
    return sum(weights[term] for term in terms & weights.keys()) / total if total else 0.0


def _ranked(
    question: str,
    passages: Sequence[Passage],
    evidence: Sequence[Evidence],
    embedder: Embedder | None,
) -> list[tuple[float, _Place]]:
    """Return the sentences that may answer with their scores, the best first."""
    weights = _weights(question, evidence)
    places: list[_Place] = []
    scores: list[float] = []
    top = max((passage.score for passage in passages), default=0.0)
    for one in evidence:
        asked = weights[one.source.language]
        prior = passages[one.number].score / top if top > 0 else 0.0
        for number, (span, terms) in enumerate(one.sentences):
            if len(terms - asked.keys()) < MIN_NEW_WORDS or _asks(one.text(span)):
                continue
            around = one.sentences[max(number - 1, 0) : number + 2]
            near = frozenset[str]().union(*(words for _, words in around))
            places.append((one, number))
            scores.append(
                _share(terms, asked)
                + NEIGHBOUR_WEIGHT * _share(near, asked)
                + PASSAGE_WEIGHT * prior
            )
    texts = [one.text(one.sentences[number][0]) for one, number in places]
    total = np.asarray(scores) + MEANING_WEIGHT * _similarities(question, texts, embedder)
    order = np.argsort(-total, kind="stable")
    return [(float(total[index]), places[index]) for index in order]


def _asks(sentence: str) -> bool:
    """Say whether a sentence is a question itself, and so no answer to one."""
    return sentence.rstrip(_CLOSERS).endswith(_QUESTION_MARKS)


def _widened(one: Evidence, number: int) -> Span:
    """Return a sentence; a short one with the next of its paragraph, else the one before it."""
    span, terms = one.sentences[number]
    if len(terms) >= SHORT_SENTENCE_WORDS:
        return span
    if number + 1 < len(one.sentences):
        wider = Span(span.start, one.sentences[number + 1][0].end)
        if BLOCK_SEPARATOR not in one.text(wider):
            return wider
    if number:
        wider = Span(one.sentences[number - 1][0].start, span.end)
        if BLOCK_SEPARATOR not in one.text(wider):
            return wider
    return span


def _overlap(one: Located, other: Located) -> bool:
    return one.book_id == other.book_id and one.span.overlaps(other.span)


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
