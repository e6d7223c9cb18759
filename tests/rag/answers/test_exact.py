"""Counts, contents and lengths, answered by the database."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answers.counting import mention_pattern
from rag.answers.prompt import LANGUAGES
from rag.answers.route import Route, RouteKind, exact_phrases, route

COUNTS = [
    ("en", "How often is Ahab named?", "Ahab"),
    ("en", "How many times is the word “white whale” mentioned in Moby Dick?", "white whale"),
    ("en", "How often is “Romeo and Juliet” named?", "Romeo and Juliet"),
    ("en", "how often does Queequeg appear in the book", "Queequeg"),
    ("en", "Count the mentions of Starbuck.", "Starbuck"),
    ("de", "Wie oft wird Gretchen genannt?", "Gretchen"),
    ("de", "Wie oft kommt das Wort „Pudel“ vor?", "Pudel"),
    ("de", "Wie oft wird Gretchen im Faust erwähnt?", "Gretchen"),
    ("de", "Wie oft wird Gretchen genannt im Faust?", "Gretchen"),
    ("de", "Wie oft steht das Wort Pudel im Text?", "Pudel"),
    ("de", "Wie oft erscheint Mephisto?", "Mephisto"),
    ("fr", "Combien de fois Cosette est-elle nommée ?", "Cosette"),
    ("es", "¿Cuántas veces aparece Sancho?", "Sancho"),
    ("ru", "Сколько раз упоминается Наташа?", "Наташа"),
    ("zh", "林黛玉出现了多少次？", "林黛玉"),
    ("zh", "书中提到宝玉多少次？", "宝玉"),
    ("ja", "赤シャツは何回出てきますか？", "赤シャツ"),
]
OTHERS = [
    ("en", "List the chapters.", RouteKind.CONTENTS),
    ("en", "How many chapters does the book have?", RouteKind.CONTENTS),
    ("en", "How long is this book?", RouteKind.LENGTH),
    ("en", "How many words does it have?", RouteKind.LENGTH),
    ("en", "How many pages are there in the book?", RouteKind.LENGTH),
    ("en", "How long will it take me to read this book?", RouteKind.LENGTH),
    ("en", "How many words are in it?", RouteKind.LENGTH),
    ("de", "Nenne mir alle Kapitel", RouteKind.CONTENTS),
    ("de", "Wie lang ist dieses Buch?", RouteKind.LENGTH),
    ("fr", "Quels sont les chapitres ?", RouteKind.CONTENTS),
    ("es", "¿Cuántas páginas tiene?", RouteKind.LENGTH),
    ("ru", "Сколько глав в книге?", RouteKind.CONTENTS),
    ("zh", "列出所有章节", RouteKind.CONTENTS),
    ("zh", "这本书有多长？", RouteKind.LENGTH),
    ("ja", "この本の目次を教えて", RouteKind.CONTENTS),
]
OPEN = [
    ("en", "Why does Ishmael go to sea?"),
    ("en", "How many times is Buck or Spitz mentioned?"),
    ("de", "Wie oft wird Max und Moritz genannt?"),
    ("en", "How often did the keeper climb the stairs each night?"),
    ("en", "How long did the storm last?"),
    ("en", "Which chapters tell of the whale's whiteness?"),
    ("en", "How many sons did the king have?"),
    ("en", "How many characters does the novel have?"),
    ("en", "How long does it take the crew to kill the whale?"),
    ("en", "How many words does Darcy say to Elizabeth?"),
    ("de", "Wie oft wird Karl geschlagen?"),
    ("de", "Wie oft steht Anna in der Nacht auf?"),
    ("de", "Wie lange dauerte die Reise?"),
    ("zh", "林黛玉是谁？"),
    ("ja", "赤シャツは誰ですか？"),
    ("en", "how often " * 100),
]


@pytest.mark.parametrize(("language", "question", "what"), COUNTS)
def test_questions_for_a_count_are_recognised(language: str, question: str, what: str) -> None:
    assert route(question, language) == Route(RouteKind.COUNT, what)


@pytest.mark.parametrize(("language", "question", "kind"), OTHERS)
def test_questions_for_contents_and_length_are_recognised(
    language: str, question: str, kind: RouteKind
) -> None:
    assert route(question, language) == Route(kind)


@pytest.mark.parametrize(("language", "question"), OPEN)
def test_other_questions_are_open(language: str, question: str) -> None:
    assert route(question, language) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_rules_and_phrases(language: str) -> None:
    phrases = exact_phrases(language)

    for pattern in (*phrases.count, *phrases.contents, *phrases.length):
        re.compile(pattern)
    assert "$count" in phrases.counted
    assert "$where" in phrases.counted_never


WORDS = st.sampled_from(["Ahab", "ahab", "Ahab's", "Ahabs", "the", "white", "whale", "whales", "."])


@given(st.lists(WORDS, max_size=60))
def test_counts_are_those_of_a_plain_scan(words: list[str]) -> None:
    text = " ".join(words)

    tokens = re.findall(r"\w+", text.lower())
    assert len(mention_pattern("Ahab").findall(text)) == tokens.count("ahab")
    pairs = list(pairwise(tokens))
    if "." not in words:
        assert len(mention_pattern("white  whale").findall(text)) == pairs.count(("white", "whale"))


def test_scripts_without_spaces_are_counted_by_their_characters() -> None:
    assert len(mention_pattern("宝玉").findall("宝玉见宝玉，贾宝玉笑")) == 3
