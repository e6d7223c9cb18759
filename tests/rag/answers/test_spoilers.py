"""Which names count as unread."""

from __future__ import annotations

from rag.answers.spoilers import names_only_in


def test_names_of_the_unread_part_are_told_from_words() -> None:
    unread = (
        "Then came the Rachel with Captain Gardiner on board. When Ahab saw Gardiner he wept. "
        "The whale rose. A whale, said Gardiner’s mate, White as wool, white as snow."
    )
    known = "Call me Ishmael. Ahab hunts the whale."
    assert names_only_in(unread, known) == {"rachel", "captain", "gardiner"}


def test_a_word_that_the_unread_part_also_writes_small_is_no_name() -> None:
    assert names_only_in("He met the Butler. The butler bowed.", "") == set()


def test_katakana_names_count() -> None:
    assert names_only_in("そこへピエールが来た。", "アンドレイは立った。") == {"ピエール"}
