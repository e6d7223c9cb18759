"""Puts questions to the whole way from question to answer, and keeps what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from core.books import BookId
from core.ports import BookStore
from core.scope import Scope
from core.text import Span
from rag.answers.answerer import Answerer
from rag.answers.events import Answer, AnswerFinished
from rag.answers.spoilers import names_in, names_only_in
from rag.evaluation.questions import Question
from rag.ports import ChatModel


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its answer.

    Attributes:
        question: what was asked, and where its evidence is.
        up_to: the spoiler boundary it was asked under, None for the whole book.
        answer: what came.
        score: what the decision to answer rests on (rag.answers.grounds); None where something
            else decided: a model, or the database for a count.
    """

    question: Question
    up_to: int | None
    answer: Answer
    score: float | None


async def ask_all(
    answerer: Answerer,
    questions: Sequence[tuple[Question, int | None]],
    model: ChatModel | None,
) -> list[Asked]:
    """Ask each question of its book, up to the offset beside it. Raises EndpointError."""
    return [await _ask(answerer, question, up_to, model) for question, up_to in questions]


async def _ask(
    answerer: Answerer, question: Question, up_to: int | None, model: ChatModel | None
) -> Asked:
    scope = Scope.book(question.book_id, up_to)
    async with aclosing(answerer.answer(question.text, scope, model)) as events:
        finished = [event async for event in events if isinstance(event, AnswerFinished)]
    answer = finished[-1].answer
    return Asked(question, up_to, answer, _score(answer))


def _score(answer: Answer) -> float | None:
    """Return the score of an answer without a model; one with an unknown name is refused: 0."""
    for stage in answer.trace.stages:
        if stage.name == "extract":
            return 0.0 if stage.seen["unknown_names"] else float(stage.seen["score"])
    return None


def moved_to_other_books(questions: Sequence[Question], seed: int = 1) -> list[Question]:
    """Put each question to another of the books, so that nothing there answers it.

    Empty where all questions are about one book.
    """
    draw = Random(seed)  # noqa: S311 - a sample, no secret
    books = sorted({question.book_id for question in questions})
    if len(books) < 2:
        return []
    return [
        Question(question.text, draw.choice([b for b in books if b != question.book_id]), ())
        for question in questions
    ]


def with_boundaries(
    questions: Sequence[Question], lengths: dict[BookId, int], seed: int = 1
) -> list[tuple[Question, int | None]]:
    """Draw a spoiler boundary for each question, most of them before its evidence."""
    draw = Random(seed)  # noqa: S311 - a sample, no secret
    return [
        (
            question,
            draw.randrange(
                1 + min((span.end for span in question.evidence), default=lengths[question.book_id])
            ),
        )
        for question in questions
    ]


@dataclass(frozen=True, slots=True)
class QuoteCount:
    """Quotes shown, and those of them that are byte for byte slices of their book."""

    shown: int
    exact: int


def count_quotes(books: BookStore, asked: Sequence[Asked]) -> QuoteCount:
    """Compare every quote of every answer with its slice of the canonical text. May block."""
    citations = [citation for one in asked for citation in one.answer.citations]
    slices = books.slices([(citation.book_id, citation.span) for citation in citations])
    exact = sum(citation.quote == found for citation, found in zip(citations, slices, strict=True))
    return QuoteCount(len(citations), exact)


def count_leaks(books: BookStore, asked: Sequence[Asked]) -> int:
    """Count answers that show a passage, quote or name from beyond their boundary. May block."""
    return sum(_leaks(books, one) for one in asked if one.up_to is not None)


def _leaks(books: BookStore, asked: Asked) -> bool:
    answer, up_to = asked.answer, asked.up_to
    assert up_to is not None
    spans = [passage.span for passage in answer.passages]
    spans += [citation.span for citation in answer.citations]
    if any(span.end > up_to for span in spans):
        return True
    book = books.get(asked.question.book_id)
    read = books.text(book.id, Span(0, min(up_to, book.character_count)))
    unread = books.text(book.id, Span(min(up_to, book.character_count), book.character_count))
    known = f"{read} {asked.question.text} {book.title} {book.author}"
    return not names_in(answer.text).isdisjoint(names_only_in(unread, known))


def share_answered(asked: Sequence[Asked]) -> float:
    """Return the share of questions that were answered."""
    return sum(one.answer.answered for one in asked) / len(asked)


def share_on_evidence(asked: Sequence[Asked], quotes: int | None) -> float:
    """Return the share of answers with evidence in the first `quotes` citations (None: all)."""
    return sum(
        any(
            citation.span.overlaps(span)
            for citation in one.answer.citations[:quotes]
            for span in one.question.evidence
        )
        for one in asked
    ) / len(asked)
