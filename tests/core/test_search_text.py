"""Search text: the same words in a book and in a question, in every script."""

from __future__ import annotations

import sqlite3
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search_text import query_terms, question_language, search_text
from core.stop_words import STOP_WORDS

LANGUAGES = ["en", "de", "fr", "es", "it", "ru", "zh", "ja", "ko", "ar", "he", "hi", "el", "und"]

# A text, its language, and a question's word that must find it.
FINDS = [
    ("The captains' whaling ships", "en", "captain whale ship"),
    ("captain’s", "en", "captain"),
    ("don't", "en", "don’t"),
    ("a twenty-one gun salute", "en", "twenty one"),
    ("Café, naïve, Brontë", "en", "cafe naive bronte"),
    ("The Brontës' café", "en", "bronte cafes"),
    ("_Moby-Dick_ co\u00adoperate", "en", "moby dick cooperate"),
    ("ﬁne ＦＵＬＬ x²", "en", "fine full x2"),
    ("die Häuser der Straße", "de", "haus STRASSE hauser"),
    ("Œuvre à l’école, aujourd'hui", "fr", "oeuvre ecole aujourd’hui"),
    ("l'arte dell’amore", "it", "arte amore"),
    ("el niño comió", "es", "nino comió"),
    ("Ещё ёлки и войны", "ru", "еще елка война"),
    ("новый край", "ru", "край"),
    ("贾宝玉出家了", "zh", "宝玉"),
    ("贾宝玉出家了", "zh", "玉"),
    ("真龙。", "zh", "龙"),
    ("走れメロスは激怒した", "ja", "メロス 激怒"),
    ("ﾒﾛｽ", "ja", "メロス"),
    ("iPhone型の電話", "ja", "iphone 電話"),
    ("한국어 책을 읽다", "ko", "한국 책"),
    ("שָׁלוֹם עֲלֵיכֶם", "he", "שלום"),
    ("السَّلَامُ عَلَيْكُمْ", "ar", "السلام"),
    ("كتــــاب", "ar", "كتاب"),
    ("हिन्दी किताबें", "hi", "हिन्दी"),
    ("Ο Ὀδυσσεύς", "el", "οδυσσευς"),
    ("Gdańsk Łódź", "und", "gdansk lodz"),
    ("smørrebrød", "da", "smorrebrod"),
]

DIFFERENT = [
    ("か が", "ja"),  # a voiced syllable is another syllable
    ("くに ぐに", "ja"),
    ("мой мои", "und"),
    ("कि की", "und"),
]


def finds(text: str, term: str, language: str) -> bool:
    words = search_text(text, language).split()
    if term.endswith("*"):
        return any(word.startswith(term[:-1]) for word in words)
    return term in words


@pytest.mark.parametrize(("text", "language", "question"), FINDS)
def test_a_question_finds_the_text(text: str, language: str, question: str) -> None:
    terms = query_terms(question, language)
    assert terms
    assert [term for term in terms if not finds(text, term, language)] == []


@pytest.mark.parametrize(("text", "language"), DIFFERENT)
def test_marks_that_make_another_letter_stay(text: str, language: str) -> None:
    one, other = text.split()
    assert search_text(one, language) != search_text(other, language)


def test_words_of_an_unknown_language_are_folded_and_not_stemmed() -> None:
    assert search_text("The Whales’ ÉCOLES", "und") == "the whales ecoles"
    assert search_text("Whales", "x-unknown") == "whales"
    assert search_text("Whales", "en-GB") == search_text("Whales", "EN_us") == "whale"


def test_every_two_characters_and_the_last_are_words() -> None:
    assert search_text("红楼梦，龙。abc红", "zh") == "红楼 楼梦 梦 龙 abc 红"


@pytest.mark.parametrize(
    ("question", "language", "terms"),
    [
        ("Who killed the white whale?", "en", ["kill", "white", "whale"]),
        ("Wer war der Mörder?", "de", ["mord"]),
        ("Qu'est-ce que l’homme a dit ?", "fr", ["homm", "dit"]),
        ("¿Quién es el asesino?", "es", ["asesin"]),
        ("Кто такой Раскольников?", "ru", ["раскольник"]),
        ("贾宝玉为什么出家？", "zh", ["贾宝", "宝玉", "出家"]),
        ("孙悟空的师父是谁", "zh", ["孙悟", "悟空", "师父"]),
        ("激怒したのは誰か", "ja", ["激怒", "怒し"]),
        ("What is it?", "en", ["what", "is", "it"]),
        ("是的", "zh", ["是的"]),
        ("whale whale Whales", "en", ["whale"]),
        ("?!", "en", []),
        ("", "en", []),
    ],
)
def test_only_words_with_content_are_asked_for(
    question: str, language: str, terms: list[str]
) -> None:
    assert query_terms(question, language) == terms


@pytest.mark.parametrize("quoted", ['"{}"', "“{}”", "„{}“", "«{}»", "»{}«", "「{}」", "『{}』"])
def test_quoted_words_are_a_phrase(quoted: str) -> None:
    question = f"Who says {quoted.format('call me Ishmael')} in the book?"
    assert query_terms(question, "en") == ["call me ishmael", "say", "book"]


def test_a_quoted_chinese_word_is_a_phrase_of_its_pairs() -> None:
    assert query_terms("「紅樓夢」是誰寫的", "zh")[0] == "紅樓 樓夢"


def test_an_empty_quotation_is_no_phrase() -> None:
    assert query_terms('"" whale "…"', "en") == ["whale"]


TEXTS = st.one_of(st.text(max_size=200), st.text(alphabet="龙鲸かカ한aé'’_- \u0301", max_size=30))


@given(text=TEXTS, language=st.sampled_from(LANGUAGES))
def test_words_are_parted_by_single_spaces_and_hold_no_ascii_punctuation(
    text: str, language: str
) -> None:
    words = search_text(text, language)
    assert words == " ".join(words.split())
    assert not [c for c in words if c.isascii() and not (c.isalnum() or c == " ")]


@given(text=TEXTS, language=st.sampled_from(LANGUAGES))
def test_what_a_text_asks_for_it_finds(text: str, language: str) -> None:
    terms = query_terms(text, language)
    assert [t for t in terms if " " not in t and not finds(text, t, language)] == []


@given(
    text=st.text(
        alphabet=st.characters(codec="utf-8", categories=["Ll", "Lo", "Mn", "Zs"]), max_size=60
    )
)
def test_composed_and_decomposed_letters_are_the_same(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", composed)
    if unicodedata.normalize("NFC", decomposed) == composed:
        assert search_text(decomposed, "und") == search_text(composed, "und")


@given(text=TEXTS, language=st.sampled_from(LANGUAGES))
def test_the_index_takes_words_as_they_are(text: str, language: str) -> None:
    words = search_text(text, language)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(words, tokenize = 'ascii')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab('t', 'row')")
    connection.execute("INSERT INTO t VALUES (?)", [words])
    stored = {term for (term,) in connection.execute("SELECT term FROM v")}
    connection.close()
    assert stored == set(words.split())


def test_stop_words_are_written_as_words_are_folded() -> None:
    for language, words in STOP_WORDS.items():
        for word in words:
            assert search_text(word, "und") == word, (language, word)


def test_threads_agree() -> None:
    texts = [f"whaling captains {n} running" for n in range(500)]
    expected = [search_text(text, "en") for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: search_text(text, "en"), texts)) == expected


@pytest.mark.corpus
def test_a_real_book_keeps_its_words(corpus: Path) -> None:
    text = (corpus / "txt/en/pg2701-moby-dick-or-the-whale.txt").read_text(encoding="utf-8")
    words = search_text(text, "en").split()
    assert 200_000 < len(words) < 240_000
    assert words.count("whale") > 1_000


def test_the_language_of_a_question_is_known_by_its_stop_words() -> None:
    assert question_language("What did the whale do to the ship?", ["de", "en-GB"]) == "en-GB"
    assert question_language("Wer hat die Lampe in das Haus gebracht?", ["en", "de"]) == "de"
    assert question_language("What did the whale do?", ["sa"]) == "en"
    assert question_language("Mistral", ["en"]) == "und"


def test_stop_words_of_the_question_are_not_looked_for_in_any_language() -> None:
    asked = "What did the whale do to the ship?"
    assert query_terms(asked, "sa", "en") == ["whale", "ship"]
    assert "the" in query_terms(asked, "sa")
    assert query_terms("to be or not to be", "en", "en")
