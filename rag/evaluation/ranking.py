"""How well search finds the evidence of questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.scope import Scope
from rag.answers.ports import PassageSearch
from rag.evaluation.questions import Question
from rag.passages import Passage, SearchMode

DEPTH = 20
BUDGET_CHARACTERS = 4000
"""About a thousand tokens: what a small model is sent."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Shares of questions, 0 to 1, whose evidence a search met.

    Attributes:
        questions: how many were asked.
        hit_at_1: evidence in the first passage; likewise 5 and 10.
        mrr: mean of one over the rank of the first passage that meets it, 0 where none of 20 does.
        in_4k: evidence within the first 4,000 characters returned.
    """

    questions: int
    hit_at_1: float
    hit_at_5: float
    hit_at_10: float
    mrr: float
    in_4k: float

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure_ranking(
    search: PassageSearch,
    questions: Sequence[Question],
    scope_of: Callable[[Question], Scope],
    mode: SearchMode = SearchMode.HYBRID,
) -> Ranking:
    """Search each question inside its scope. `questions` must not be empty. May block."""
    ranks: list[int | None] = []
    within = 0
    for question in questions:
        passages = search.search(question.text, scope_of(question), k=DEPTH, mode=mode)
        ranks.append(next((i for i, one in enumerate(passages, 1) if meets(one, question)), None))
        within += meets_within(passages, question, BUDGET_CHARACTERS)
    count = len(questions)

    def hits(most: int) -> float:
        return sum(rank is not None and rank <= most for rank in ranks) / count

    mrr = sum(1 / rank for rank in ranks if rank is not None) / count
    return Ranking(count, hits(1), hits(5), hits(10), mrr, within / count)


def meets(passage: Passage, question: Question) -> bool:
    """Say whether a passage overlaps the evidence."""
    return passage.book_id == question.book_id and any(
        passage.span.overlaps(span) for span in question.evidence
    )


def meets_within(passages: Sequence[Passage], question: Question, characters: int) -> bool:
    """Say whether the evidence is met in the first characters returned."""
    left = characters
    for passage in passages:
        if left <= 0:
            return False
        if passage.book_id == question.book_id and any(
            passage.span.start < span.end
            and span.start < min(passage.span.end, passage.span.start + left)
            for span in question.evidence
        ):
            return True
        left -= len(passage.span)
    return False
