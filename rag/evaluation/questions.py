"""Questions whose evidence is known: read from a file, or made from a reader's own book."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from core.books import BookId
from core.errors import PostilError
from core.search_text import query_terms
from core.text import Span, fold_text

MADE_QUESTIONS = 50
"""How many questions are made from one book."""
_SENTENCE = re.compile(r"[^.!?。！？\n]{60,240}[.!?。！？]")
_MIN_TERMS = 5
_KEPT_SHARE = 0.6
"""Share of a sentence's content words that a question made from it keeps."""


class QuestionFileError(PostilError):
    """The file of questions cannot be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One line of a file of questions.

    Attributes:
        corpus_file: path of the book's file, as the file of questions has it.
        question: the question.
        evidence: texts of the book that hold the answer; any one of them will do.
    """

    corpus_file: str
    question: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the spans of one book that answer it."""

    text: str
    book_id: BookId
    evidence: tuple[Span, ...]


def read_rows(path: Path) -> list[QuestionRow]:
    """Read a file of JSON lines: `{"corpus_file", "question", "answers", "evidence": [{"text"}]}`.

    Raises:
        QuestionFileError: it cannot be read, a line is not of that form, or there is none.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # JSON may hold other ends of lines
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionFileError(f"{path.name} cannot be read: {error}.") from error
    rows = [_row(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise QuestionFileError(f"{path.name} holds no question.")
    return rows


def _row(number: int, line: str) -> QuestionRow:
    try:
        data: Any = json.loads(line)
        file, question = data["corpus_file"], data["question"]
        evidence = tuple(item["text"] for item in data["evidence"])
        if not all(
            isinstance(value, str) and value.strip() for value in (file, question, *evidence)
        ):
            raise TypeError("not text")
    except (ValueError, KeyError, TypeError) as error:
        raise QuestionFileError(
            f'Line {number} is not of the form {{"corpus_file", "question", "evidence": '
            f'[{{"text"}}]}}: {error!r}.'
        ) from error
    return QuestionRow(file, question, evidence)


def find_file(questions: Path, corpus_file: str) -> Path | None:
    """Find a book's file by its path from the folder of the questions, or from one above it."""
    for folder in questions.resolve().parents:
        found = folder / corpus_file
        if found.is_file():
            return found
    return None


def place_evidence(row: QuestionRow, book_id: BookId, text: str) -> Question | None:
    """Find a row's evidence in the canonical text; None where none of it is there."""
    flat = text.replace("\n", " ")
    spans = []
    for evidence in row.evidence:
        wanted = fold_text(evidence)
        start = flat.find(wanted)
        if start >= 0:
            spans.append(Span(start, start + len(wanted)))
    return Question(row.question, book_id, tuple(spans)) if spans else None


def make_questions(
    book_id: BookId, texts: Iterable[tuple[Span, str]], language: str, seed: int = 1
) -> list[Question]:
    """Make questions from a book: words of a sentence as a reader half remembers it.

    Args:
        book_id: the book.
        texts: places of the book's own prose, with their text.
        language: the book's.
        seed: the same seed, the same questions.
    """
    draw = Random(seed)  # noqa: S311 - a sample, no secret
    sentences = [found for span, text in texts for found in _sentences(span, text)]
    chosen = draw.sample(sentences, min(MADE_QUESTIONS, len(sentences)))
    questions = []
    for span, sentence in chosen:
        words = _content_words(sentence, language)
        if len(words) >= _MIN_TERMS:
            kept = sorted(draw.sample(range(len(words)), round(_KEPT_SHARE * len(words))))
            questions.append(Question(" ".join(words[i] for i in kept), book_id, (span,)))
    return questions


def _sentences(span: Span, text: str) -> Iterator[tuple[Span, str]]:
    for match in _SENTENCE.finditer(text):
        yield Span(span.start + match.start(), span.start + match.end()), match.group()


def _content_words(sentence: str, language: str) -> Sequence[str]:
    return [word for word in re.findall(r"\w+", sentence) if query_terms(word, language)]
