"""Takes a model's reply apart while it streams: plain words, quotes, and marks of citation.

What comes out depends on the characters alone, never on how the stream cuts them: a token is given
only when no further character can change it. Links, images, HTML, Markdown's emphasis and stray
quotation marks are taken out here, so that no Plain token holds any of them. Square brackets are
kept for citations: others become round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rag.answers.quotation_marks import (
    NEVER,
    QUOTATION_MARKS,
    WAIT,
    find_close,
    may_open,
    opens_quote,
)
from rag.answers.words import CJK_CLASS

MAX_WORD_CHARACTERS = 500
MAX_BRACKET_CHARACTERS = 200
MAX_ADDRESS_CHARACTERS = 2000
MAX_TAG_CHARACTERS = 500
_BITE = 4096  # a whole reply in one piece is read in bites: the buffer is copied at every token


@dataclass(frozen=True, slots=True)
class Plain:
    """A word with the punctuation that touches it, without white space."""

    text: str


@dataclass(frozen=True, slots=True)
class Space:
    """White space: one space, one newline, or two newlines between paragraphs."""

    text: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """What stood between quotation marks, as the model wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Numbers of cited passages, such as `[2]` or `[1, 3]`."""

    numbers: tuple[int, ...]


Token = Plain | Space | Quoted | Mark
_Step = tuple[int, list[Token]]  # how many characters are taken, and what they are

_BRACKETS = {"[": "]", "【": "】", "［": "］"}
_STOPPERS = "".join(sorted((*QUOTATION_MARKS, *_BRACKETS, "<", "‘", "‚", "'", "’")))
# An apostrophe after a letter is part of the word, whatever comes then.
_WORD = re.compile(
    rf"{CJK_CLASS}|(?:(?!{CJK_CLASS})[^\s!{re.escape(_STOPPERS)}]|!(?!\[)|(?<=[\w*`)])['’])"
    rf"{{1,{MAX_WORD_CHARACTERS}}}"
)
_SPACE = re.compile(r"\s+")
_NUMBERS = r"\d{1,4}(?:\s*(?:[,;，、–—-]|and|&)\s*\d{1,4})*"
_MARK = re.compile(
    rf"\s*[\^#]?\s*(?:(?:passages?|sources?|excerpts?|quotes?)\s*)?({_NUMBERS})\s*(?:†.*)?",
    re.IGNORECASE | re.DOTALL,
)
_MARK_IN_QUOTE = re.compile(rf"\s*[\[【［]({_NUMBERS})[\]】］]")
_NUMBER_OR_RANGE = re.compile(r"(\d+)(?:\s*[–—-]\s*(\d+))?")
_MOST_IN_RANGE = 20
_TAG = re.compile(rf"<[/!?a-zA-Z][^<>]{{0,{MAX_TAG_CHARACTERS}}}>")
_LINK_TARGET = re.compile(rf"\([^()\n]{{0,{MAX_ADDRESS_CHARACTERS}}}\)")
_ADDRESS = re.compile(r"(?:https?|ftp|mailto|javascript):\S*|www\.\S*|\S*//\S*", re.IGNORECASE)
_EMPHASIS = re.compile(r"[*`]+|~~|^_+|_+(?=\W*$)")
_LINE_MARK = re.compile(r"([*+•-])|#{1,6}|>+")
_UNWANTED = str.maketrans("[]【】［］", "()()()") | {ord(mark): None for mark in QUOTATION_MARKS}


class Lexer:
    """Reads a reply piece by piece; see the module."""

    def __init__(self) -> None:
        self._buffer = ""
        self._before = ""
        self._begins_line = True
        self._is_final = False

    def feed(self, text: str) -> Iterator[Token]:
        """Take the next piece; yield the tokens that are certain now."""
        for start in range(0, len(text), _BITE):
            self._buffer += text[start : start + _BITE]
            yield from self._drain()

    def finish(self) -> Iterator[Token]:
        """Yield what is left; the reply has ended."""
        self._is_final = True
        yield from self._drain()

    def _drain(self) -> Iterator[Token]:
        while self._buffer and (step := self._step()) is not None:
            size, tokens = step
            self._before = self._buffer[size - 1]
            self._buffer = self._buffer[size:]
            for token in tokens:
                self._begins_line = isinstance(token, Space) and "\n" in token.text
                yield token

    def _step(self) -> _Step | None:
        """Return what to take next; None where more must come first."""
        first = self._buffer[0]
        if first.isspace():
            return self._space()
        if may_open(first):
            return self._quote()
        if first in QUOTATION_MARKS:
            return 1, []
        if first in _BRACKETS:
            return self._bracket(0)
        if self._buffer.startswith("!["):
            return self._bracket(1)
        if first == "<":
            return self._tag()
        return self._word()

    def _goes_on_after(self, size: int) -> bool:
        """Say whether it is known what follows the first `size` characters."""
        return self._is_final or len(self._buffer) > size

    def _space(self) -> _Step | None:
        match = _SPACE.match(self._buffer)
        assert match is not None
        if not self._goes_on_after(match.end()):
            return None
        line_breaks = min(match[0].count("\n"), 2)
        return match.end(), [Space("\n" * line_breaks or " ")]

    def _word(self) -> _Step | None:
        match = _WORD.match(self._buffer)
        size = match.end() if match else 1
        if size < MAX_WORD_CHARACTERS and not self._goes_on_after(size):
            return None
        word = self._buffer[:size]
        line_mark = _LINE_MARK.fullmatch(word) if self._begins_line else None
        if line_mark:
            return size, [Plain("-")] if line_mark[1] else []
        word = cleaned(word)
        return size, [Plain(word)] if word else []

    def _quote(self) -> _Step | None:
        mark = self._buffer[0]
        if not self._goes_on_after(1):
            return None
        is_apostrophe = mark in "'‘"
        plain: list[Token] = [Plain("’")] if is_apostrophe else []
        if not opens_quote(mark, self._before, self._buffer[1:2]):
            return 1, plain
        close = find_close(self._buffer, is_final=self._is_final)
        if close == WAIT:
            return None
        if close == NEVER:
            return 1, plain
        inner = self._buffer[1:close]
        marks: list[Token] = [Mark(_numbers(match[1])) for match in _MARK_IN_QUOTE.finditer(inner)]
        return close + 1, [Quoted(_MARK_IN_QUOTE.sub("", inner).strip()), *marks]

    def _bracket(self, skipped: int) -> _Step | None:
        """Read a mark of citation, a link, or (with a "!" skipped) an image."""
        close = _matching_bracket(self._buffer, skipped)
        if close == WAIT and not self._is_final:
            return None
        if close in (WAIT, NEVER):
            return skipped + 1, [Plain("(")]
        if not self._goes_on_after(close + 1):
            return None
        inner = self._buffer[skipped + 1 : close]
        mark = _MARK.fullmatch(inner)
        end = close + 1
        if self._buffer[end : end + 1] == "(":
            target = _LINK_TARGET.match(self._buffer, end)
            if target is None and self._may_still_close(end):
                return None
            end = target.end() if target else end
            if not mark:
                return end, [] if skipped else list(lex(inner))
        if mark and not skipped:
            return end, [Mark(_numbers(mark[1]))]
        return skipped + 1, [Plain("(")]

    def _may_still_close(self, start: int) -> bool:
        tail = self._buffer[start:]
        closed = "\n" in tail or ")" in tail or "(" in tail[1:]
        return not (closed or self._is_final or len(tail) > MAX_ADDRESS_CHARACTERS + 1)

    def _tag(self) -> _Step | None:
        match = _TAG.match(self._buffer)
        if match:
            return match.end(), []
        body = self._buffer[1:]
        closed = "<" in body or ">" in body or len(body) > MAX_TAG_CHARACTERS + 1
        if not (closed or self._is_final or body[:1].isspace()):
            return None
        # Kept only where it cannot begin a tag in what is shown either.
        return 1, [Plain("<")] if body[:1].isspace() else []


def lex(text: str) -> list[Token]:
    """Take a whole text apart."""
    lexer = Lexer()
    return [*lexer.feed(text), *lexer.finish()]


def plain_text(tokens: Iterable[Token]) -> str:
    """Return tokens as plain words; quotes lose their marks, and marks of citation are left out."""
    pieces: list[str] = []
    for token in tokens:
        match token:
            case Plain(text) | Space(text):
                pieces.append(text)
            case Quoted(text):
                pieces.append(plain_text(lex(text)))
            case Mark():
                pass
    return "".join(pieces)


def cleaned(word: str) -> str:
    """Return a word without emphasis, addresses, quotation marks and square brackets."""
    return _ADDRESS.sub("", _EMPHASIS.sub("", word)).translate(_UNWANTED)


def _numbers(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for match in _NUMBER_OR_RANGE.finditer(text):
        first, last = int(match[1]), int(match[2] or match[1])
        numbers += range(first, min(last, first + _MOST_IN_RANGE) + 1)
    return tuple(dict.fromkeys(numbers))


def _matching_bracket(text: str, start: int) -> int:
    """Return where the bracket at `start` is closed, else NEVER or WAIT."""
    depth = 0
    opening, closing = text[start], _BRACKETS[text[start]]
    for index in range(start, min(len(text), start + MAX_BRACKET_CHARACTERS)):
        if text[index] == "\n":
            return NEVER
        depth += (text[index] == opening) - (text[index] == closing)
        if depth == 0:
            return index
    return WAIT if len(text) < start + MAX_BRACKET_CHARACTERS else NEVER
