"""Sentences that bear out statements."""

from __future__ import annotations

import pytest

from core.text import Span
from rag.answers.quotes import Source
from rag.answers.support import Evidence, best_support, content_terms

TEXT = "“Skin your eyes for him, men!” The sailors “looked” out. “A whale,” he said. Night came."


def evidence(text: str, language: str = "en") -> Evidence:
    return Evidence(Source.of(1, 100, language, text), 0)


def test_the_sentence_with_most_of_the_words_is_found_at_its_place() -> None:
    support = best_support("Sailors looked for a thing.", [evidence(TEXT)], "")
    assert support is not None
    assert support.place.text == "The sailors “looked” out."
    assert support.place.span == Span(100 + TEXT.index("The"), 100 + TEXT.index("“A whale") - 1)
    assert support.shared == 2


def test_the_question_decides_between_equals() -> None:
    text = "Ahab wept. Ahab hunted the whale. Ahab slept."
    support = best_support("Ahab.", [evidence(text)], "What is hunted?")
    assert support is not None
    assert support.place.text == "Ahab hunted the whale."


def test_nothing_shared_is_no_support() -> None:
    assert best_support("Bananas ripen.", [evidence(TEXT)], "Who skins?") is None


def test_speech_is_shown_without_its_own_marks() -> None:
    support = best_support("Skin your eyes", [evidence(TEXT)], "")
    assert support is not None
    assert support.place.text == "Skin your eyes for him, men!"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("“I found it. It was late.”", "I found it. It was late."),
        ("“I found it by the sea.", "I found it by the sea."),
        ("I found it by the sea.”", "I found it by the sea."),
        ("“A whale,” he said.", "A whale,” he said."),
        ("He said: “A whale.”", "He said: “A whale."),
        ("“ «A whale», he said.", "«A whale», he said."),
        ("«A whale by the sea.", "A whale by the sea."),
        ("»Ein Wal«, sagte er.", "»Ein Wal«, sagte er."),
        ("「鯨が現れた。", "鯨が現れた。"),
        ("“ ”", "“ ”"),
    ],
)
def test_no_mark_is_doubled_by_those_that_a_slice_is_shown_in(text: str, shown: str) -> None:
    place = evidence(text).located(None)
    assert place.text == shown
    assert place.span == Span(100 + text.index(shown), 100 + text.index(shown) + len(shown))


def test_words_are_compared_in_the_books_language() -> None:
    assert content_terms("Die Wale und der Wal", "de") == content_terms("Wal", "de")
    support = best_support("白鯨は海にいる。", [evidence("白鯨が現れた。夜が来た。", "ja")], "")
    assert support is not None
    assert support.place.text == "白鯨が現れた。"
