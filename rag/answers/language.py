"""Which language a question is in, short as it may be."""

from __future__ import annotations

import re
import unicodedata

from core.stop_words import STOP_WORDS
from rag.answers.prompt import LANGUAGES

_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN_LANGUAGES = tuple(language for language in LANGUAGES if language not in {"ja", "ru", "zh"})


def question_language(question: str, fallback: str) -> str:
    """Return the BCP 47 tag of a question's language.

    The script tells, then the commonest words of those languages that have prompts; where neither
    does (a name, say), it is `fallback`: the language of the books.
    """
    if _KANA.search(question):
        return "ja"
    if _HAN.search(question):
        return fallback if fallback.startswith(("zh", "ja")) else "zh"
    if _CYRILLIC.search(question):
        return fallback if fallback.startswith(("uk", "bg", "sr", "be")) else "ru"
    words = {_folded(word) for word in _WORD.findall(question)}
    hits = {language: len(words & STOP_WORDS[language]) for language in _LATIN_LANGUAGES}
    most = max(hits.values())
    best = [language for language, count in hits.items() if count == most]
    primary = fallback.partition("-")[0].lower()
    if most == 0 or primary in best:
        return fallback
    return best[0]


def content_words(question: str, language: str) -> list[str]:
    """Return a question's words without stop words, as written; none in scripts without spaces."""
    stop_words = STOP_WORDS.get(language.partition("-")[0].lower(), frozenset())
    words = dict.fromkeys(_WORD.findall(question))
    return [
        word for word in words if _folded(word) not in stop_words and not _SPACELESS.search(word)
    ]


def _folded(word: str) -> str:
    """Return a word the way stop words are folded: casefolded, without diacritics."""
    plain = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
