"""Words as the lexical index wants them: the same for a book's text and for a question.

A word is normalised (NFKC), casefolded, stemmed by its language's Snowball stemmer where there is
one, and rid of diacritics, so that “Café” and “cafes” meet. Chinese, Japanese and Korean have no
spaces to cut at: every two neighbouring characters become a word, and the last one of a run stands
alone too, so that a single character is found as the beginning of a word wherever it stands.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import Stemmer

from core.stop_words import FUNCTION_CHARACTERS, STOP_WORDS

_STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}

# Where an accent is foreign the stemmer does not know it: “Brontë” is stemmed as “Bronte”.
_FOLDED_FIRST = {"en", "id"}

# Articles and pronouns that lose their vowel before another: “l'homme” is found as “homme”.
_ELIDED = {
    language: frozenset(words.split())
    for language, words in {
        "ca": "d l m n s t",
        "fr": "c d j jusqu l lorsqu m n puisqu qu quoiqu s t",
        "it": "all c coll d dall dell l m nell quell s sull t un v",
    }.items()
}

_APOSTROPHES = "'\u2019\u02bc\uff07"
# Soft hyphens, zero-width characters, the Arabic tatweel and Markdown's underscore part no word.
_IGNORED = "\u00ad\u200b-\u200d\u2060\ufeff\u0640_"
# `\w` leaves out combining marks, without which no Indic word holds together.
_MARKS = "".join(
    chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code))[0] == "M"
)
_find_words = re.compile(rf"[\w{_APOSTROPHES}{_IGNORED}{_MARKS}]+").findall
_drop_ignored = re.compile(f"[{_IGNORED}]").sub
_unify_apostrophes = re.compile(f"[{_APOSTROPHES[1:]}]").sub

_CJK = (
    "\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3100-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_has_cjk = re.compile(f"[{_CJK}]").search
_find_runs = re.compile(f"([{_CJK}]+)|([^{_CJK}]+)").findall

# Letters that other people type as one or two plain ones, though Unicode does not take them apart.
_PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
    | {"ى": "ي", "ی": "ي", "ک": "ك"}
)

_QUOTED = re.compile(
    r'"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|»([^«]+)«|「([^」]+)」|『([^』]+)』'
)

_MAX_CACHED_WORDS = 200_000

_stemming = threading.Lock()  # PyStemmer's stemmers are not thread-safe


def search_text(text: str, language: str) -> str:
    """Return the words of `text` in search form, parted by single spaces.

    Args:
        text: any text.
        language: BCP 47 tag; an unknown one or "und" leaves words unstemmed.
    """
    forms = _forms(_primary(language))
    return " ".join(filter(None, map(forms.__getitem__, _find_words(text))))


def question_language(question: str, languages: Sequence[str]) -> str:
    """Return the language of a question by its stop words, "und" where it has none.

    Where two fit alike, the one that comes first in `languages`; any other known one comes last.
    """
    words = [_fold(_normalise(word)) for word in _find_words(question)]
    counts = {
        language: sum(word in STOP_WORDS.get(_primary(language), ()) for word in words)
        for language in (*languages, *STOP_WORDS)
    }
    asked_in = max(counts, key=lambda language: counts[language], default="und")
    return asked_in if counts.get(asked_in) else "und"


def query_terms(question: str, language: str, asked_in: str = "und") -> list[str]:
    """Return what to look for, in search form and without repeats, phrases first.

    Text in quotation marks becomes a phrase: words parted by spaces. Of the other words only those
    that are no stop words are taken, or all where nothing else is left. A lone Chinese, Japanese or
    Korean character ends in `*`: it stands for every word that begins with it.

    Args:
        question: what the reader asks.
        language: BCP 47 tag of the books to search.
        asked_in: that of the question, whose stop words are left out too.
    """
    language = _primary(language)
    stop_words = STOP_WORDS.get(language, frozenset()) | STOP_WORDS.get(
        _primary(asked_in), frozenset()
    )
    phrases = [
        " ".join(term for word in _find_words("".join(groups)) for term in _terms(word, language))
        for groups in _QUOTED.findall(question)
    ]
    words = _find_words(_QUOTED.sub(" ", question))
    terms = [term for word in words for term in _content_terms(word, language, stop_words)]
    if not terms and not any(phrases):
        terms = [term for word in words for term in _terms(word, language)]
    return list(dict.fromkeys(filter(None, phrases + terms)))


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


class _Forms(dict[str, str]):
    """Search forms by word as written, made when first asked for."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self._language = language

    def __missing__(self, word: str) -> str:
        plain = _normalise(word)
        if _has_cjk(plain):  # a whole clause, not worth keeping
            return " ".join(filter(None, _cjk_words(plain, self._language)))
        form = _word_form(plain, self._language)
        if len(self) >= _MAX_CACHED_WORDS:
            self.clear()
        self[word] = form
        return form


@lru_cache(maxsize=16)
def _forms(language: str) -> _Forms:
    return _Forms(language)


@lru_cache(maxsize=16)
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    name = _STEMMERS.get(language)
    return None if name is None else Stemmer.Stemmer(name, 0)  # no cache besides ours


def _stem(word: str, language: str) -> str:
    stemmer = _stemmer(language)
    if stemmer is None:
        return word
    with _stemming:
        stem: str = stemmer.stemWord(word)
    return stem


def _normalise(word: str) -> str:
    plain = _drop_ignored("", unicodedata.normalize("NFKC", word)).casefold()
    return _unify_apostrophes("'", plain).strip("'")


def _word_form(plain: str, language: str) -> str:
    word = _without_elision(plain, language).replace("ё", "е")
    if language in _FOLDED_FIRST:
        form = _stem(_fold(word), language)
    else:
        form = _fold(_stem(word, language))
    return form.replace("'", "")


def _without_elision(plain: str, language: str) -> str:
    before, apostrophe, after = plain.partition("'")
    return after if apostrophe and before in _ELIDED.get(language, ()) else plain


def _fold(word: str) -> str:
    """Return a word without diacritics."""
    if word.isascii():
        return word
    folded = "".join(
        mark
        for letter in word
        for mark in (letter if letter == "й" else unicodedata.normalize("NFD", letter))
        if not _is_diacritic(mark)
    )
    return unicodedata.normalize("NFC", folded).translate(_PLAIN_LETTERS)


def _is_diacritic(character: str) -> bool:
    """Say whether a character only points or accents the letter before it.

    By its canonical combining class: 1 is an overlay, 10 to 35 are Hebrew and Arabic points, and
    from 200 on stand the accents. What lies between makes another letter or syllable: the Japanese
    voicing marks, nuktas, viramas, Thai and Tibetan vowels.
    """
    combining = unicodedata.combining(character)
    return combining == 1 or 10 <= combining <= 35 or combining >= 200


def _cjk_words(plain: str, language: str) -> list[str]:
    words: list[str] = []
    for run, other in _find_runs(plain):
        if run:
            words += _pairs(run)
            words.append(run[-1])
        else:
            words.append(_word_form(other.strip("'"), language))
    return words


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)]


def _terms(word: str, language: str) -> Iterator[str]:
    """Yield what to look for to find `word`."""
    plain = _normalise(word)
    for run, other in _find_runs(plain):
        if other:
            yield _word_form(other.strip("'"), language)
        elif len(run) == 1:
            yield f"{run}*"
        else:
            yield from _pairs(run)


def _content_terms(word: str, language: str, stop_words: frozenset[str]) -> Iterator[str]:
    """Yield the terms of `word` that are neither stop words nor pairs across a function word."""
    surface = _fold(_without_elision(_normalise(word), language)).replace("'", "")
    if surface in stop_words:
        return
    for term in _terms(word, language):
        if not (_has_cjk(term) and _crosses_words(term, language)):
            yield term


def _crosses_words(pair: str, language: str) -> bool:
    kana = [character for character in pair if "\u3040" <= character <= "\u309f"]
    if language == "ja" or kana:
        return len(kana) == len(pair) or not FUNCTION_CHARACTERS["ja"].isdisjoint(pair)
    return not FUNCTION_CHARACTERS["zh"].isdisjoint(pair)
