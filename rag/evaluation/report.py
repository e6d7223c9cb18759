"""All measures on one set of questions, as one document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from core.persistence.library import Library
from core.scope import Scope
from core.search_text import query_terms
from rag.answers.answerer import Answerer
from rag.answers.ports import PassageSearch
from rag.evaluation.answering import (
    Asked,
    ask_all,
    count_leaks,
    count_quotes,
    moved_to_other_books,
    share_answered,
    share_on_evidence,
    with_boundaries,
)
from rag.evaluation.questions import Question
from rag.evaluation.ranking import measure_ranking
from rag.evaluation.refusal import equal_error, refusal_curve, thinned
from rag.ports import ChatModel

Progress = Callable[[str], None]


async def evaluate(
    library: Library,
    search: PassageSearch,
    answerer: Answerer,
    questions: Sequence[Question],
    model: ChatModel | None,
    tell: Progress,
) -> dict[str, Any]:
    """Measure everything; `questions` must not be empty.

    Returns:
        `questions`, `books`, `retrieval`, `answers`, `refusal` (None with questions on one book
        only), `leaks`, `latency_ms`.
    """
    lengths = {id_: library.books.get(id_).character_count for id_ in _books(questions)}
    tell(f"searching for {len(questions)} questions ...")
    retrieval = {
        "book": measure_ranking(search, questions, lambda one: Scope.book(one.book_id)).as_json(),
        "library": measure_ranking(search, questions, lambda _: Scope.library()).as_json(),
    }
    tell("answering them ...")
    own = await ask_all(answerer, [(question, None) for question in questions], model)
    tell("asking other books ...")
    others = moved_to_other_books(questions)
    foreign = await ask_all(answerer, [(question, None) for question in others], model)
    tell("asking up to a boundary ...")
    limited = await ask_all(answerer, with_boundaries(questions, lengths), model)
    quotes = count_quotes(library.books, [*own, *foreign, *limited])
    return {
        "questions": len(questions),
        "books": len(lengths),
        "model": None if model is None else model.name,
        "retrieval": retrieval,
        "answers": {
            "answered": round(share_answered(own), 4),
            "first_quote_in_evidence": round(share_on_evidence(own, 1), 4),
            "any_quote_in_evidence": round(share_on_evidence(own, None), 4),
            "quotes": quotes.shown,
            "exact_quotes": quotes.exact,
        },
        "refusal": _refusal(library, own, foreign, model) if foreign else None,
        "leaks": {"asked": len(limited), "leaked": count_leaks(library.books, limited)},
        "latency_ms": _latency([*own, *foreign, *limited]),
    }


def _refusal(
    library: Library, own: Sequence[Asked], foreign: Sequence[Asked], model: ChatModel | None
) -> dict[str, Any]:
    """Return both errors as they are, and the curve where a score decides; BM25's beside it."""
    told: dict[str, Any] = {
        "unanswerable": len(foreign),
        "false_refusals": round(1 - share_answered(own), 4),
        "wrong_answers": round(share_answered(foreign), 4),
    }
    bm25 = refusal_curve(
        [_bm25(library, one.question) for one in own],
        [_bm25(library, one.question) for one in foreign],
    )
    told["bm25_equal_error"] = _point(equal_error(bm25))
    own_scores = [one.score for one in own if one.score is not None]
    foreign_scores = [one.score for one in foreign if one.score is not None]
    if model is None and own_scores and foreign_scores:
        curve = refusal_curve(own_scores, foreign_scores)
        told["equal_error"] = _point(equal_error(curve))
        told["curve"] = [_point(point) for point in thinned(curve)]
    return told


def _bm25(library: Library, question: Question) -> float:
    """Return the best chunk's BM25 inside the question's book: the plain rule to compare with."""
    scope = Scope.book(question.book_id)
    language = library.books.languages(scope)[0]
    ranges = library.books.resolve(scope).chunks
    terms = query_terms(question.text, language)
    hits = library.lexical.search(terms, ranges, 1, "chunk") if terms else []
    return hits[0].score if hits else 0.0


def _point(point: Any) -> dict[str, float]:  # noqa: ANN401 - a dataclass of figures
    return {name: round(value, 4) for name, value in asdict(point).items()}


def _latency(asked: Sequence[Asked]) -> dict[str, dict[str, float]]:
    """Return the median and the 95th percentile of each stage's time, in milliseconds."""
    times: dict[str, list[float]] = {}
    for one in asked:
        for stage in one.answer.trace.stages:
            times.setdefault(stage.name, []).append(stage.elapsed_ms)
    return {
        name: {
            "p50": round(float(np.percentile(values, 50)), 2),
            "p95": round(float(np.percentile(values, 95)), 2),
        }
        for name, values in times.items()
    }


def _books(questions: Sequence[Question]) -> list[int]:
    return sorted({question.book_id for question in questions})
