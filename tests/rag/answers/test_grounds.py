"""When there are grounds to answer without a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.scope import Scope
from core.text import Span
from rag.answers.grounds import grounds_to_answer, names_in
from rag.answers.shelf import Shelf
from rag.passages import Passage
from support.answering import MOBY_DICK, Desk, open_desk
from support.shelf import parsed_book, shelve


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        shelve(opened.library, parsed_book("Moby-Dick", MOBY_DICK))
        yield opened


def enough(
    desk: Desk,
    question: str,
    score: float,
    *,
    cosine: float | None = 0.4,
    scope: Scope | None = None,
) -> bool:
    passage = Passage(1, "Moby-Dick", "", Span(0, 4), "Call", score, cosine, score)
    shelf = Shelf(desk.library.books, scope or Scope.library())
    return grounds_to_answer(question, "en", [passage], shelf, desk.retriever).enough


@pytest.mark.parametrize(
    ("question", "score", "expected"),
    [
        ("What does Ahab hunt?", 0.6, True),
        ("What does Ahab hunt?", 0.35, False),
        ("What does Hermione hunt?", 0.6, False),
        ("What does Starbuk cry about vengeance on a dumb brute?", 1.1, True),
        ("What is Moby about?", 0.6, True),
        ("WHAT DOES HERMIONE HUNT?", 0.6, True),
    ],
)
def test_score_and_names_decide(desk: Desk, question: str, score: float, expected: bool) -> None:
    assert enough(desk, question, score) is expected


def test_a_name_from_beyond_the_boundary_is_unknown(desk: Desk) -> None:
    assert enough(desk, "What does Fedallah hunt?", 0.6)
    up_to = desk.library.books.text(1).index("The Chase")
    assert not enough(desk, "What does Fedallah hunt?", 0.6, scope=Scope.book(1, up_to))


def test_words_alone_have_their_own_scale(desk: Desk) -> None:
    assert enough(desk, "What does Ahab hunt?", 0.45, cosine=None)
    assert not enough(desk, "What does Ahab hunt?", 0.35, cosine=None)


@pytest.mark.parametrize(
    ("fused", "of_words_alone", "expected"),
    [(0.2, 0.5, True), (0.6, 0.1, True), (0.2, 0.3, False), (0.4, 0.3, False)],
)
def test_a_passage_not_embedded_yet_is_judged_by_its_words(
    desk: Desk, fused: float, of_words_alone: float, expected: bool
) -> None:
    embedded = Passage(1, "Moby-Dick", "", Span(0, 4), "Call", fused, 0.2, 0.1)
    waiting = Passage(
        1, "Moby-Dick", "", Span(5, 9), "me I", of_words_alone**2, None, of_words_alone
    )
    shelf = Shelf(desk.library.books, Scope.library())
    grounds = grounds_to_answer(
        "What does Ahab hunt?", "en", [embedded, waiting], shelf, desk.retriever
    )
    assert grounds.enough is expected


def test_no_passages_are_no_grounds(desk: Desk) -> None:
    shelf = Shelf(desk.library.books, Scope.library())
    assert not grounds_to_answer("Who?", "en", [], shelf, desk.retriever).enough


def test_names_are_capitalised_words_but_the_first() -> None:
    names = names_in("When and where did Captain Ahab meet with Mr Gardiner?", "en")
    assert names == ["Captain", "Ahab", "Gardiner"]
    assert names_in("Wo ist der Wal im Meer?", "de") == []
    assert names_in("白鯨はどこ？", "ja") == []
