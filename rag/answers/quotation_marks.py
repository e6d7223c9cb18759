"""Quotation marks of all scripts: what opens a quote, and where it ends."""

from __future__ import annotations

import re

from rag.answers.words import is_cjk

MAX_QUOTE_CHARACTERS = 2000
"""A mark that is not closed within this many characters opens no quote."""

_CLOSERS = {
    '"': '"',
    "＂": "＂",
    "“": "”\"",
    "„": "“”\"",
    "‟": "”",
    "”": "”",  # Swedish, Finnish
    "«": "»",
    "»": "«»",  # German and Danish; Swedish and Finnish
    "‹": "›",
    "›": "‹›",
    "「": "」",
    "『": "』",
    "｢": "｣",
    "〝": "〞〟",
    "‘": "’'",
    "‚": "‘’",
    "'": "'’",
}  # fmt: skip
# These nest in themselves; between other marks the first closing one ends the quote.
_NESTING = frozenset("“«‹「『｢")
# These are apostrophes too.
_SINGLE = frozenset("‘‚'’")
# These close as well as open, so that only their surroundings tell.
_TWO_FACED = frozenset("\"＂”»›'‘‚")

QUOTATION_MARKS = frozenset("".join((*_CLOSERS, *_CLOSERS.values()))) - _SINGLE
"""All marks but the single ones, which are apostrophes too."""

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n")
WAIT = -1
NEVER = 0


def may_open(mark: str) -> bool:
    """Say whether a character opens quotes at all."""
    return mark in _CLOSERS


def opens_quote(mark: str, before: str, after: str) -> bool:
    """Say whether a mark opens a quote between these two characters, "" at an end of the text."""
    if mark not in _TWO_FACED:
        return True
    follows_word = before.isalnum() and not is_cjk(before)
    return not follows_word and bool(after) and not after.isspace()


def find_close(text: str, *, is_final: bool) -> int:
    """Return where the quote that `text` begins with is closed.

    Args:
        text: beginning with an opening mark.
        is_final: whether no more text comes.

    Returns:
        The closing mark's index; NEVER where the quote is not closed in its paragraph (single
        marks: in their line) or within MAX_QUOTE_CHARACTERS; WAIT where more text must tell.
    """
    opener = text[0]
    closers = _CLOSERS[opener]
    depth = 1
    for index in range(1, min(len(text), MAX_QUOTE_CHARACTERS + 2)):
        character = text[index]
        if character == "\n" and (opener in _SINGLE or _PARAGRAPH_END.match(text, index)):
            return NEVER
        if character == opener and opener in _NESTING:
            depth += 1
        elif character in closers:
            if opener in _SINGLE:
                if index + 1 == len(text) and not is_final:
                    return WAIT
                if text[index + 1 : index + 2].isalnum():
                    continue  # an apostrophe
            depth -= 1
            if depth == 0:
                return index
    return NEVER if is_final or len(text) > MAX_QUOTE_CHARACTERS + 1 else WAIT
