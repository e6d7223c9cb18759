"""A text as a row of words, so that quotes are found whatever became of their punctuation.

Two spellings of a word count as one where a model may have changed the form but not the word: case,
accents, ligatures, width, soft hyphens, apostrophes. Quotation marks, dashes, spaces and all other
punctuation between words do not count at all. What is then shown is the book's own slice, so that
nothing is lost by this.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from core.text import Span

_APOSTROPHES = "'’ʼ＇"
_UNSEEN = "\u00ad\u200b-\u200d\u2060\ufeff"
_CJK = (
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\uf900-\ufaff"
)
CJK_CLASS = rf"[{_CJK}\U00020000-\U0003ffff]"
"""One Chinese, Japanese or Korean character, as a regular expression."""

# A Chinese, Japanese or Korean character is a word by itself, but keeps marks that combine with it.
# `\w` leaves out combining marks, without which no Indic word holds together.
_MARKS = "".join(
    chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code))[0] == "M"
)
_WORD = re.compile(
    rf"{CJK_CLASS}[\u3099\u309a]?"
    rf"|(?!{CJK_CLASS})[^\W_]"
    rf"(?:(?!{CJK_CLASS})[^\W_]|[{_MARKS}{_UNSEEN}]|[{_APOSTROPHES}](?=[^\W_]))*"
)
_ACCENTS = re.compile("[\u0300-\u036f]")
_DROPPED = re.compile(f"[{_APOSTROPHES}{_UNSEEN}]")
_IS_CJK = re.compile(CJK_CLASS)


def is_cjk(word: str) -> bool:
    """Say whether a word is a Chinese, Japanese or Korean character."""
    return _IS_CJK.match(word) is not None


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", _DROPPED.sub("", word)).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", plain))


@dataclass(frozen=True)
class WordRow:
    """The words of a text, folded, and where they stand in it.

    Attributes:
        text: the text.
        words: its words in order, folded.
        spans: their places in the text.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, text: str) -> WordRow:
        """Take a text apart."""
        matches = list(_WORD.finditer(text))
        return cls(
            text,
            tuple(_folded(match[0]) for match in matches),
            tuple(Span(match.start(), match.end()) for match in matches),
        )

    def span_of(self, first: int, past: int) -> Span:
        """Return the place of the words from number `first` to before number `past`."""
        return Span(self.spans[first].start, self.spans[past - 1].end)

    def find(self, wanted: Sequence[str]) -> list[int]:
        """Return the numbers of all words at which the row `wanted` begins."""
        if not wanted:
            return []
        needle = _joined(wanted)
        found = []
        position = self._joined_text.find(needle)
        while position >= 0:
            found.append(bisect_left(self._joined_starts, position))
            position = self._joined_text.find(needle, position + 1)
        return found

    @cached_property
    def _joined_text(self) -> str:
        return _joined(self.words)

    @cached_property
    def _joined_starts(self) -> list[int]:
        starts = [0]
        for word in self.words:
            starts.append(starts[-1] + len(word) + 1)
        return starts


def _joined(words: Sequence[str]) -> str:
    """Return words with a separator before, between and after them."""
    return "\n" + "".join(f"{word}\n" for word in words)
