"""Answers without a model on FairytaleQA: what is quoted, and what is refused.

    POSTIL_CORPUS=DIR python tests/benchmarks/answers.py [--home DIR] [--every N]

Puts each question to its own book (and so 44 of them rewritten in other words), to another of the
fifteen books, and questions on modern facts (XQuAD) to one of them. "answered" is the share that is
answered; "first" and "any" say how often the first sentence quoted, or any, lies in the
human-marked evidence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from retrieval import FOLDER, PARAPHRASES, Question, ingest, question_of

from app.composition import Postil, open_postil
from core.books import BookId
from core.home import Home
from core.scope import Scope
from rag.answers.answerer import Answerer
from rag.answers.events import Answer, AnswerFinished


def main() -> None:
    """Print one line for each set of questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the library here and use it again")
    parser.add_argument("--every", type=int, default=1, help="take each N-th question only")
    arguments = parser.parse_args()
    corpus = Path(os.environ["POSTIL_CORPUS"])
    with tempfile.TemporaryDirectory() as temporary:
        postil = open_postil(Home.locate(arguments.home or Path(temporary)))
        try:
            asyncio.run(measure(postil, corpus, arguments.every))
        finally:
            postil.close()


async def measure(postil: Postil, corpus: Path, every: int) -> None:
    """Answer the four sets."""
    books = await ingest(postil, sorted((corpus / FOLDER / "books").glob("*.txt")))
    texts = {book.id: postil.library.books.text(book.id) for book in books.values()}
    rows = [
        json.loads(line)
        for line in (corpus / FOLDER / "fairytale_15books.jsonl").read_text("utf-8").splitlines()
    ]
    questions = {row["id"]: question_of(row, books, texts) for row in rows}
    rewritten = json.loads(PARAPHRASES.read_text("utf-8"))
    draw = random.Random(1)
    ids = sorted(texts)
    own = list(questions.values())[::every]
    other = [Question(q.text, draw.choice([i for i in ids if i != q.book_id]), ()) for q in own]
    modern = [
        Question(text, draw.choice(ids), ())
        for text in draw.sample(modern_questions(corpus), 300)[::every]
    ]
    paraphrases = [
        Question(text, questions[id_].book_id, questions[id_].evidence)
        for id_, text in list(rewritten.items())[::every]
    ]
    print(f"{'':14}{'n':>5}{'answered':>10}{'first':>8}{'any':>8}{'ms':>8}")
    await table(postil, "own book", own)
    await table(postil, "in other words", paraphrases)
    await table(postil, "another book", other)
    await table(postil, "modern facts", modern)


def modern_questions(corpus: Path) -> list[str]:
    """Read the questions of XQuAD."""
    data = json.loads((corpus / "qa" / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]
    return [
        asked["question"]
        for article in data
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


async def table(postil: Postil, name: str, questions: Sequence[Question]) -> None:
    """Answer the questions and print one line."""
    answerer = Answerer(postil.library, postil.retriever, postil.embedder)
    started = time.perf_counter()
    answers = [await answer(answerer, question.text, question.book_id) for question in questions]
    elapsed_ms = 1000 * (time.perf_counter() - started) / len(questions)
    pairs = list(zip(answers, questions, strict=True))
    answered = mean([one.answered for one in answers])
    first = mean([is_evidence(one, question, 1) for one, question in pairs])
    any_ = mean([is_evidence(one, question, None) for one, question in pairs])
    print(
        f"{name:14}{len(questions):5}{answered:10.3f}{first:8.3f}{any_:8.3f}{elapsed_ms:8.0f}",
        flush=True,
    )


async def answer(answerer: Answerer, question: str, book_id: BookId) -> Answer:
    """Answer one question from one book."""
    events = [event async for event in answerer.answer(question, Scope.book(book_id), None)]
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    return finished.answer


def is_evidence(answer: Answer, question: Question, count: int | None) -> bool:
    """Say whether one of the first `count` quotes overlaps the evidence."""
    return any(
        citation.span.overlaps(span)
        for citation in answer.citations[:count]
        for span in question.evidence
    )


def mean(values: Sequence[bool]) -> float:
    """Return the share that is true."""
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
