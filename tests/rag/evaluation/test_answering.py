"""What counts as a leak past the spoiler boundary."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.answers.events import Answer
from rag.answers.trace import RagTrace
from rag.evaluation.answering import Asked, count_leaks
from rag.evaluation.questions import Question
from support.shelf import open_shelf, parsed_book, shelve

CHAPTERS = [
    ("One", ["The keeper lived alone with Tomas, who kept the lamp."]),
    ("Two", ["At last there came Ludmila with her loaves, and ピエール came too."]),
]


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Tomas kept it.", 0),
        ("It was kept by Ludmila.", 1),
        ("“Ludmila’s loaves”, he said.", 1),
        ("そこへピエールが来た。", 1),
    ],
)
def test_a_name_from_beyond_the_boundary_is_found_beside_any_mark(
    text: str, leaks: int, tmp_path: Path
) -> None:
    library = open_shelf(tmp_path)
    book = shelve(library, parsed_book("The Lamp", CHAPTERS))
    up_to = library.books.chapters(book.id)[1].start
    answer = Answer(text, (), True, "model", (), RagTrace())
    asked = Asked(Question("Who kept the lamp?", book.id, ()), up_to, answer, None)

    assert count_leaks(library.books, [asked]) == leaks
    library.close()
