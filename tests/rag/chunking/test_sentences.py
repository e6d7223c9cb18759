"""Sentence ends in several scripts, and that spans are always slices of what they were given."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chunking.sentences import sentence_spans

CASES = [
    ("en", ["Mr. Darcy bowed.", "Mrs. Bennet did not."]),
    ("en", ["“What is it?” he said.", "“Nothing!” she cried, and left."]),
    ("en", ["“It is over.”", "“Is it?”", "She laughed."]),
    ("en", ["She waited… and waited.", "Nobody came…", "Then it rained."]),
    ("en", ["J. R. R. Tolkien wrote it.", "St. Paul did not."]),
    ("en", ["No. 7 was empty.", "“No.”", "He shut it."]),
    ("en", ["He was taller than I.", "They both knew it."]),
    ("en", ["It was 1805.", "The war went on."]),
    ("en", ["See e.g. Gibbon, vol. 3, p. 12.", "He disagrees."]),
    ("en", ["They met at 5 p.m. on a Friday.", "It cost 3.50 then."]),
    ("en", ["It is said.12", "Others deny it.[3]", "Who knows?"]),
    ("en", ["(He was wrong.)", "So was she."]),
    ("en", ["Really?!", "Yes."]),
    ("en-GB", ["Dr. Watson sat down.", "Holmes did not."]),
    ("de", ["Am 3. Oktober kam Hr. Müller an.", "Er war z. B. nie pünktlich.", "Schade."]),
    ("de", ["»Komm her!« rief er.", "»Nein.«", "Sie ging."]),
    ("fr", ["M. Dupont arriva.", "« Bonjour ! »", "Mme Dupont sourit."]),
    ("es", ["El Sr. García llegó.", "¿Quién era?", "¡Nadie!"]),
    ("ru", ["— Кто это? — спросил кн. Андрей.", "Никто, т.е. почти никто.", "Он ушёл."]),
    ("ar", ["هل جاء؟", "لا.", "ذهب إلى البيت."]),
    ("he", ["מי שם?", "אין איש.", "הוא הלך."]),
    ("hi", ["वह आया।", "वह गया।"]),
    ("el", ["Ήρθε.", "Έφυγε."]),
]

UNSPACED_CASES = [
    ("zh", ["他来了。", "你是谁？", "“我是老王。”", "他笑了！"]),
    ("zh", ["真的?", "是的!", "好。"]),
    ("ja", ["吾輩は猫である。", "名前はまだ無い。", "「そうだ。」", "彼は笑った。"]),
    ("ja", ["「行くよ！」と彼は言った。", "雨が降った。"]),
]


def _slices(text: str, language: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text, language)]


@pytest.mark.parametrize(("language", "sentences"), CASES)
def test_sentences_with_spaces_between(language: str, sentences: list[str]) -> None:
    assert _slices(" ".join(sentences), language) == sentences


@pytest.mark.parametrize(("language", "sentences"), UNSPACED_CASES)
def test_sentences_with_nothing_between(language: str, sentences: list[str]) -> None:
    assert _slices("".join(sentences), language) == sentences


def test_a_newline_ends_a_sentence() -> None:
    assert _slices("Chapter One\nIt rained. It poured.\n\nStill", "en") == [
        "Chapter One",
        "It rained.",
        "It poured.",
        "Still",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "...", "。。。", "A.", "?! ?!"])
def test_hardly_any_text(text: str) -> None:
    assert "".join(_slices(text, "und")).replace(" ", "") == "".join(text.split())


@given(
    st.text(st.sampled_from("aB 1.!?…。！」“”\"'()\n—،؟ж字\u00a0")),
    st.sampled_from(["en", "de", "zh", "ja", "ar", "und", ""]),
)
def test_spans_are_ordered_stripped_and_lose_no_character(text: str, language: str) -> None:
    spans = sentence_spans(text, language)
    assert all(before.end <= after.start for before, after in pairwise(spans))
    slices = [text[span.start : span.end] for span in spans]
    assert all(slice_ and slice_ == slice_.strip() for slice_ in slices)
    assert "".join("".join(slices).split()) == "".join(text.split())
