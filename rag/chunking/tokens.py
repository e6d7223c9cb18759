"""Estimates how many tokens a text has, without a tokenizer.

Sizes of chunks need not be exact, and must not depend on the embedding model, for then changing the
model would cut the books anew. English prose has 4.3 characters to a WordPiece token, spaces
included; Han, kana and Hangul have about one.
"""

from __future__ import annotations

import re

CHARACTERS_PER_TOKEN = 4.3
"""Of alphabetic text: 4.28 over eleven Standard Ebooks (7.2M characters) by MiniLM's."""

_WIDE = re.compile(
    "[\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WIDE_EXTRA = 1 - 1 / CHARACTERS_PER_TOKEN


def estimate_tokens(text: str) -> float:
    """Return about how many tokens `text` has."""
    size = len(text) / CHARACTERS_PER_TOKEN
    if text.isascii():
        return size
    return size + _WIDE_EXTRA * len(_WIDE.findall(text))
