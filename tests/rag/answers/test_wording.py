"""What counts as a refusal, and what does not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answers.language import content_words, question_language
from rag.answers.prompt import LANGUAGES, prompt_file
from rag.answers.wording import RefusalGate, is_refusal, plain


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("en", "The passages do not mention his wife."),
        ("en", "The provided passages don't say who she is [1]."),
        ("en", "I'm sorry, but I cannot answer this from the passages."),
        ("en", "Based on the passages, there is no information about it."),
        ("en", "There is no mention of a wizard."),
        ("de", "Die Textstellen enthalten keine Antwort darauf."),
        ("de", "Leider kann ich die Frage nicht beantworten."),
        ("fr", "Les passages ne mentionnent pas sa femme."),
        ("es", "Los pasajes no mencionan a su mujer."),
        ("ru", "В отрывках нет ответа на этот вопрос."),
        ("zh", "段落中没有提到他的妻子。"),
        ("ja", "与えられた箇所には答えがありません。"),
    ],
)
def test_refusals_in_a_models_own_words(language: str, reply: str) -> None:
    assert is_refusal(prompt_file(language), reply)


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("en", "Ahab made no mention of his wife [1]."),
        ("en", "He could not find the whale [1]."),
        ("en", "The captain is Ahab. The passages do not say more."),
        ("de", "Ahab jagt den weißen Wal [1]."),
        ("fr", "Il ne chasse pas la baleine, il la craint [1]."),
        ("es", "Ahab no teme a la ballena [1]."),
        ("ru", "Ахав не боится кита [1]."),
        ("zh", "亚哈没有忘记白鲸[1]。"),
        ("ja", "エイハブは白鯨を追っています[1]。"),
    ],
)
def test_answers_that_only_say_no(language: str, reply: str) -> None:
    assert not is_refusal(prompt_file(language), reply)


@given(st.sampled_from(["NOT FOUND", "Not found.", "Nothing", "Not Ahab", "N", ""]), st.integers())
def test_the_gate_holds_back_nothing_but_the_refusal(reply: str, seed: int) -> None:
    gate = RefusalGate()
    chance = random.Random(seed)
    passed, rest = "", reply
    while rest:
        size = chance.randint(1, 4)
        passed += gate.feed(rest[:size])
        rest = rest[size:]
    passed += gate.finish()
    assert gate.refused == reply.startswith(("NOT", "Not found"))
    assert passed == ("" if gate.refused else reply)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_prompt(language: str) -> None:
    prompts = prompt_file(language)
    assert "NOT FOUND" in prompts.system
    assert len(prompts.system) < 800, "a small model must keep it in mind"
    assert prompts != prompt_file("en") or language == "en"


def test_other_languages_get_the_english_prompt() -> None:
    assert prompt_file("fi") == prompt_file("en-GB") == prompt_file("und") == prompt_file("en")


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Who is the captain of the ship?", "en"),
        ("Wer ist der Kapitän des Schiffes?", "de"),
        ("Qui est le capitaine du navire ?", "fr"),
        ("¿Quién es el capitán del barco?", "es"),
        ("Кто капитан корабля?", "ru"),
        ("谁是船长？", "zh"),
        ("船長は誰ですか？", "ja"),
        ("Ahab?", "fi"),
    ],
)
def test_the_questions_language_is_told(question: str, language: str) -> None:
    assert question_language(question, "fi") == language


def test_what_was_searched_for_is_named_without_stop_words() -> None:
    assert content_words("Who is the captain of the ship?", "en") == ["captain", "ship"]
    assert content_words("谁是船长？", "zh") == []


def test_titles_lose_what_means_something_in_an_answer() -> None:
    assert plain("The “Pequod” [draft]  http://evil.test") == "The Pequod (draft)"
