"""Retrieval quality on FairytaleQA: questions, paraphrases and single words.

    POSTIL_CORPUS=DIR python tests/benchmarks/retrieval.py [--home DIR]

Ingests the fifteen books with the real pipeline, then searches each question inside its book and in
the whole library, by each mode. A passage is a hit when it overlaps the human-marked evidence; "in
4k" says that the evidence was met within the first 4,000 characters returned. The words mode is
BM25 alone, the meaning mode the embedding model alone: hybrid must not lose to either.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.composition import Postil, open_postil
from core.books import Book
from core.home import Home
from core.scope import Scope
from core.text import Span, fold_text
from rag.passages import Passage, SearchMode

BUDGET_CHARACTERS = 4000
DEPTH = 20
WORD_COUNT = 200
PARAPHRASES = Path(__file__).parent / "data" / "paraphrases.json"


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the spans of one book that answer it."""

    text: str
    book_id: int
    evidence: tuple[Span, ...]


def main() -> None:
    """Print one table for each set of questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="keep the library here and use it again")
    arguments = parser.parse_args()
    corpus = Path(os.environ["POSTIL_CORPUS"])
    with tempfile.TemporaryDirectory() as temporary:
        postil = open_postil(Home.locate(arguments.home or Path(temporary)))
        try:
            books = asyncio.run(ingest(postil, sorted((corpus / FOLDER / "books").glob("*.txt"))))
            measure(postil, corpus, books)
        finally:
            postil.close()


FOLDER = Path("eval") / "fairytale"


async def ingest(postil: Postil, paths: list[Path]) -> dict[str, Book]:
    """Add the books and return them by file name."""
    await postil.ingest.start()
    try:
        jobs = await postil.ingest.wait(await postil.ingest.add(paths))
    finally:
        await postil.ingest.close()
    found = {}
    for path, job in zip(paths, jobs, strict=True):
        assert job.book_id is not None, job.error
        found[path.name] = postil.library.books.get(job.book_id)
    return found


def measure(postil: Postil, corpus: Path, books: dict[str, Book]) -> None:
    """Evaluate the three sets."""
    rows = [
        json.loads(line)
        for line in (corpus / FOLDER / "fairytale_15books.jsonl").read_text("utf-8").splitlines()
    ]
    texts = {book.id: postil.library.books.text(book.id) for book in books.values()}
    questions = {row["id"]: question_of(row, books, texts) for row in rows}
    rewritten = json.loads(PARAPHRASES.read_text("utf-8"))
    table(postil, "questions", list(questions.values()))
    table(
        postil,
        "paraphrases",
        [
            Question(text, questions[id_].book_id, questions[id_].evidence)
            for id_, text in rewritten.items()
        ],
    )
    table(postil, "single words", list(single_words(texts)))


def question_of(row: dict, books: dict[str, Book], texts: dict[int, str]) -> Question:  # type: ignore[type-arg]
    """Find a row's evidence in the canonical text."""
    book = books[Path(row["corpus_file"]).name]
    flat = texts[book.id].replace("\n", " ")
    spans = []
    for evidence in row["evidence"]:
        wanted = fold_text(evidence["text"])
        start = flat.find(wanted)
        if start >= 0:
            spans.append(Span(start, start + len(wanted)))
    if not spans:
        print(f"evidence not found: {row['id']}")
    return Question(row["question"], book.id, tuple(spans))


def single_words(texts: dict[int, str]) -> Iterator[Question]:
    """Draw rare words; every place that holds one answers it."""
    draw = random.Random(1)
    counts: dict[str, int] = {}
    for text in texts.values():
        for word in re.findall(r"\b[a-z]{5,}\b", text):
            counts[word] = counts.get(word, 0) + 1
    rare = sorted(word for word, count in counts.items() if 2 <= count <= 8)
    for word in draw.sample(rare, WORD_COUNT):
        holders = [id_ for id_, text in texts.items() if re.search(rf"\b{word}\b", text)]
        book_id = draw.choice(holders)
        places = re.finditer(rf"\b{word}\b", texts[book_id])
        yield Question(word, book_id, tuple(Span(*place.span()) for place in places))


def table(postil: Postil, name: str, questions: Sequence[Question]) -> None:
    """Print hit rates at 1, 5 and 10 and within the budget, by mode and scope."""
    print(f"\n{name} ({len(questions)})")
    print(f"{'':10}{'one book: @1   @5    @10   in 4k':38}{'library: @1   @5    @10   in 4k'}")
    for mode in (SearchMode.HYBRID, SearchMode.WORDS, SearchMode.MEANING):
        cells = []
        for whole_library in (False, True):
            found = [rates(postil, question, mode, whole_library) for question in questions]
            means = [sum(column) / len(found) for column in zip(*found, strict=True)]
            cells.append("  ".join(f"{mean:.3f}" for mean in means))
        print(f"{mode.value:10}{cells[0]:38}{cells[1]}", flush=True)


def rates(
    postil: Postil, question: Question, mode: SearchMode, whole_library: bool
) -> tuple[bool, bool, bool, bool]:
    """Search once; say whether the evidence was met at 1, 5, 10 and within the budget."""
    scope = Scope.library() if whole_library else Scope.book(question.book_id)
    passages = postil.retriever.search(question.text, scope, k=DEPTH, mode=mode)
    hits = [is_hit(passage, question) for passage in passages]
    return any(hits[:1]), any(hits[:5]), any(hits[:10]), within_budget(passages, question)


def is_hit(passage: Passage, question: Question) -> bool:
    """Say whether a passage overlaps the evidence."""
    return passage.book_id == question.book_id and any(
        passage.span.overlaps(span) for span in question.evidence
    )


def within_budget(passages: Sequence[Passage], question: Question) -> bool:
    """Say whether the evidence is met in the first characters returned."""
    left = BUDGET_CHARACTERS
    for passage in passages:
        if left <= 0:
            return False
        seen = Span(passage.span.start, min(passage.span.end, passage.span.start + left))
        if passage.book_id == question.book_id and any(
            seen.overlaps(span) for span in question.evidence
        ):
            return True
        left -= len(passage.span)
    return False


if __name__ == "__main__":
    main()
