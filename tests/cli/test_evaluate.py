"""`eval`, run as another program would run it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from support.command import postil

TALES = {
    "keeper.txt": (
        "On the hill above the harbour stood a lighthouse. In it lived Tomas, who kept the lamp. "
        "His only friend was a grey parrot called Mistral, who knew the names of ships.\n\n"
        "In November a storm broke the great glass, and Tomas swung his own lantern until morning. "
        "The captain of the schooner brought him a barrel of oranges in thanks.\n"
    ),
    "baker.txt": (
        "The baker of Ostrava rose at three and lit the oven with beech wood. "
        "His daughter Ludmila carried the loaves to the castle before the bells had rung.\n\n"
        "One winter the miller sent no flour, and the baker made bread of chestnuts and acorns. "
        "The duke ate it and asked for nothing else until the spring.\n"
    ),
}
ROWS = [
    ("keeper.txt", "Who was Mistral?", "His only friend was a grey parrot called Mistral"),
    ("keeper.txt", "What did the captain bring in thanks?", "a barrel of oranges in thanks"),
    ("baker.txt", "Who carried the loaves to the castle?", "daughter Ludmila carried the loaves"),
    ("baker.txt", "What did the baker make bread of?", "bread of chestnuts and acorns"),
    ("keeper.txt", "How often is Mistral named?", "a grey parrot called Mistral"),
    ("gone.txt", "What is in a book that is not there?", "nothing"),
]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    for name, text in TALES.items():
        (tmp_path / "books").mkdir(exist_ok=True)
        (tmp_path / "books" / name).write_text(text, encoding="utf-8")
    lines = [
        {
            "corpus_file": f"books/{name}",
            "question": question,
            "answers": [],
            "evidence": [{"text": text}],
        }
        for name, question, text in ROWS
    ]
    file = tmp_path / "eval" / "questions.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def test_a_file_of_questions_is_measured_whole(questions: Path, tmp_path: Path) -> None:
    measured = postil("eval", questions, "--json", home=tmp_path / "home")

    assert measured.code == 0, measured.stderr
    document = measured.json
    assert (document["questions"], document["books"], document["model"]) == (5, 2, None)
    assert "left out 1 of 6" in measured.stderr
    for scope in ("book", "library"):
        assert document["retrieval"][scope]["hit_at_5"] == 1.0
    assert document["answers"]["quotes"] == document["answers"]["exact_quotes"] > 0
    assert document["answers"]["any_quote_in_evidence"] >= 0.75
    assert document["refusal"]["unanswerable"] == 5
    assert document["refusal"]["equal_error"]["wrong_answers"] <= 0.5
    assert all(math.isfinite(point["threshold"]) for point in document["refusal"]["curve"])
    assert document["leaks"] == {"asked": 5, "leaked": 0}
    assert {"retrieve", "extract"} <= set(document["latency_ms"])


def test_a_book_is_measured_on_questions_made_from_it(questions: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert postil("add", questions.parents[1] / "books" / "keeper.txt", home=home).code == 0

    measured = postil("eval", "--book", "1", home=home)

    assert measured.code == 0, measured.stderr
    assert "Retrieval" in measured.stdout
    assert "leaks past the boundary" in measured.stdout


def test_a_file_that_is_no_list_of_questions_fails_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("not json\n", encoding="utf-8")

    failed = postil("eval", file, home=tmp_path / "home")

    assert failed.code == 1
    assert "Line 1" in failed.stderr


def test_neither_file_nor_book_is_wrong_usage(tmp_path: Path) -> None:
    assert postil("eval", home=tmp_path / "home").code == 2
