"""Finds where sentences end, in alphabetic, right-to-left and East Asian scripts.

One regular expression proposes an end at every terminal mark; a few rules then turn down the full
stops of abbreviations, initials and numbers, and ends that a lower-case letter follows (“Why?” she
said). Made for books, where a wrong cut costs little and speed matters; it needs no model.
"""

from __future__ import annotations

import re
from functools import cache

from core.text import Span
from rag.chunking.abbreviations import BEFORE_NUMBERS, ORDINAL_LANGUAGES, abbreviations

# Scripts that put a space after a sentence: Latin, Greek and Cyrillic, Arabic and Urdu, the Indic
# dandas, Armenian, Ethiopic, Burmese.
_SPACED_MARKS = ".!?…‽؟۔।॥։።၊။"
# Chinese and Japanese marks, which end a sentence with nothing after them.
_WIDE_MARKS = "。！？｡"
# Quotation marks close on either side, by language: “x”, „x“, «x», »x«; Chinese has one way only.
_CLOSERS = "\"'”’“»«›‹)\\]*_"
_WIDE_CLOSERS = "\"'”’」』）)】》〉»"
_EAST_ASIAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

# A spaced mark may have closing quotes (in French after a space) and the number of a note before
# its space; "!" and "?" as ASCII also end a sentence where an East Asian character follows at once.
# A match begins only where a run of marks begins: a line of a million dots takes linear time.
_CANDIDATE = re.compile(
    rf"(?<![{_SPACED_MARKS}])(?P<marks>[{_SPACED_MARKS}]++)[{_CLOSERS}]*+"
    rf"(?:\s»)?(?:\[?\d{{1,3}}\]?)?\s+"
    rf"|(?<![!?])[!?]++(?=[{_EAST_ASIAN}])"
    rf"|[{_WIDE_MARKS}][{_WIDE_MARKS}!?…]*(?P<wide_closers>[{_WIDE_CLOSERS}]*)\s*"
)
_LAST_WORD = re.compile(r"[^\s\"'“‘«(\[—–]*\Z")
_LAST_WORD_LIMIT = 24
# What may stand before a sentence's first letter: opening quotes, brackets, a dash of dialogue.
_OPENERS = "\"'“”‘’«»‹›„‚([¿¡—–-*_… "
# Japanese goes on with the sentence when these follow a closing bracket: と, って, a comma.
_GOES_ON = "とっ、，,"


def sentence_spans(text: str, language: str) -> list[Span]:
    """Return the sentences of `text` in order, without the white space around them.

    Args:
        text: one or several blocks; a newline always ends a sentence.
        language: BCP 47 tag; chooses the abbreviations. "und" is fine.
    """
    spans: list[Span] = []
    start = 0
    for line in text.split("\n"):
        sentence_start = start
        for end in [*sentence_ends(line, language), len(line)]:
            sentence = text[sentence_start : start + end]
            if trimmed := sentence.strip():
                first = sentence_start + len(sentence) - len(sentence.lstrip())
                spans.append(Span(first, first + len(trimmed)))
            sentence_start = start + end
        start += len(line) + 1
    return spans


def sentence_ends(text: str, language: str) -> list[int]:
    """Return where each sentence of one block ends, the white space after it included.

    The last sentence's end, which is the block's, is left out.
    """
    size = len(text)
    ends: list[int] = []
    for match in _CANDIDATE.finditer(text):
        end = match.end()
        if end < size and _is_end(text, match, language):
            ends.append(end)
    return ends


def _is_end(text: str, match: re.Match[str], language: str) -> bool:
    marks = match["marks"]
    if marks is None:
        closers = match["wide_closers"]
        return not (closers and text[match.end()] in _GOES_ON)
    following = _first_letter(text, match.end())
    if following.islower():
        return False
    if marks != ".":
        return True
    return not _is_part_of_word(text, match.start(), following, _primary_subtag(language))


def _first_letter(text: str, position: int) -> str:
    """Return the first character from `position` on that is no opening mark, "" at the end."""
    for character in text[position : position + 8]:
        if character not in _OPENERS:
            return character
    return ""


def _is_part_of_word(text: str, stop: int, following: str, language: str) -> bool:
    """Say whether the full stop at `stop` belongs to the word before it."""
    match = _LAST_WORD.search(text, max(0, stop - _LAST_WORD_LIMIT), stop)
    word = match[0] if match else ""
    if len(word) == 1 and word.isupper():
        return not _is_pronoun(text, stop, language)
    if word.isdecimal():
        return len(word) <= 2 and language in ORDINAL_LANGUAGES
    lowered = word.lower()
    if lowered in BEFORE_NUMBERS:
        return following.isdecimal() or following in "IVXLC"
    return lowered in abbreviations(language)


def _is_pronoun(text: str, stop: int, language: str) -> bool:
    """Tell the English "I" at a sentence's end ("than I.") from an initial or a number."""
    return language == "en" and text[stop - 1] == "I" and text[stop - 3 : stop - 2].islower()


@cache
def _primary_subtag(language: str) -> str:
    return language.partition("-")[0].lower()
