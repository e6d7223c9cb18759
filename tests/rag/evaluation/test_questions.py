"""Files of questions, and questions made from a book."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.text import Span
from rag.evaluation.questions import (
    QuestionFileError,
    QuestionRow,
    find_file,
    make_questions,
    place_evidence,
    read_rows,
)

ROW = {
    "corpus_file": "books/tale.txt",
    "question": "Who?",
    "answers": [],
    "evidence": [{"text": "Tom"}],
}


def test_rows_are_read_and_empty_lines_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"{json.dumps(ROW)}\n\n", encoding="utf-8")

    assert read_rows(file) == [QuestionRow("books/tale.txt", "Who?", ("Tom",))]


def test_marks_of_line_ends_within_a_text_end_no_row(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    question = "Who\u2028said\u0085so?"
    line = json.dumps({**ROW, "question": question}, ensure_ascii=False)
    file.write_text(f"\ufeff{line}\r\n", encoding="utf-8")

    assert read_rows(file) == [QuestionRow("books/tale.txt", question, ("Tom",))]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", json.dumps({**ROW, "question": 3}), json.dumps({**ROW, "evidence": ["Tom"]})],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"{json.dumps(ROW)}\n{line}\n", encoding="utf-8")

    with pytest.raises(QuestionFileError, match="Line 2"):
        read_rows(file)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("\n", encoding="utf-8")

    with pytest.raises(QuestionFileError, match="no question"):
        read_rows(file)


def test_books_are_found_from_the_folders_above_the_questions(tmp_path: Path) -> None:
    book = tmp_path / "books" / "tale.txt"
    book.parent.mkdir()
    book.write_text("Tom")
    questions = tmp_path / "eval" / "questions.jsonl"

    assert find_file(questions, "books/tale.txt") == book
    assert find_file(questions, "books/other.txt") is None


def test_evidence_is_found_across_line_ends() -> None:
    row = QuestionRow("tale.txt", "Who kept the lamp?", ("Tomas, who\nkept the lamp", "not there"))

    placed = place_evidence(row, 7, "Here lived\nTomas, who kept\nthe lamp.")

    assert placed is not None
    assert placed.evidence == (Span(11, 35),)
    assert place_evidence(QuestionRow("tale.txt", "?", ("no",)), 7, "Yes.") is None


def test_made_questions_hold_words_of_the_sentence_that_answers_them() -> None:
    sentences = [
        f"The keeper number {number} climbed the narrow stairs of the lighthouse with his lantern."
        for number in range(80)
    ]
    text = " ".join(sentences)

    questions = make_questions(3, [(Span(100, 100 + len(text)), text)], "en")

    assert len(questions) == 50
    for question in questions:
        (span,) = question.evidence
        sentence = text[span.start - 100 : span.end - 100]
        assert set(question.text.split()) < set(sentence.rstrip(".").split())
    assert questions == make_questions(3, [(Span(100, 100 + len(text)), text)], "en")
