"""Encodes a text of two authors, of whom one may name special tokens and the other may not.

A chat template writes `<|im_end|>` and means the token; a book that contains the same ten
characters means just these. Both end up in one rendered text. So every marker in untrusted text is
broken before rendering, by a character that occurs nowhere else (`MarkerGuard.broken`); what
markers then stand whole in the rendered text are the template's. `MarkerGuard.encode` encodes the
parts between the breaks by themselves: none of them holds a marker that the template did not write.

Tokenizers that put a space before every text (SentencePiece) would put one at every break. For them
a copy of the tokenizer is made in which the markers go by names that nobody can guess: the
template's are replaced by these, the broken ones are mended, and the tokenizer sees ordinary
characters.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable

from tokenizers import Tokenizer as FastTokenizer

from inference.text.tokenizer import Tokenizer

# Unicode's noncharacters for internal use; "should never be interchanged".
_BREAKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]


class MarkerGuard:
    """Keeps markers in untrusted text from becoming tokens. Safe on any thread."""

    def __init__(self, tokenizer: Tokenizer, template: str) -> None:
        """Guard a tokenizer's markers.

        Args:
            tokenizer: its special tokens are markers, and so are other tokens added whole that the
                template names.
            template: source of the chat template.
        """
        self._tokenizer = tokenizer
        self._markers = [
            content
            for content in tokenizer.added_tokens
            if len(content) > 1 and (content in tokenizer.special_tokens or content in template)
        ]
        self._pattern = _any_of(self._markers)
        self._special = _any_of(
            content for content in self._markers if content in tokenizer.hidden_tokens
        )
        self._lock = threading.Lock()
        self._renamed: _Renamed | None = None

    def breaker(self, texts: Iterable[str]) -> str | None:
        """A character that occurs in none of the texts; None where no text holds a marker."""
        texts = list(texts)
        if not any(self._pattern.search(text) for text in texts):
            return None
        unused = (mark for mark in _BREAKS if not any(mark in text for text in texts))
        return next(unused, _BREAKS[0])

    def broken(self, text: str, breaker: str, *, special_only: bool = False) -> str:
        """Put the character into every marker in the text.

        Args:
            text: untrusted.
            breaker: from `breaker`.
            special_only: leave markers alone that are part of answers, such as `</think>`, which
                templates look for in what the assistant said.
        """
        pattern = self._special if special_only else self._pattern
        return pattern.sub(lambda found: found[0][0] + breaker + found[0][1:], text)

    def encode(self, text: str, breaker: str | None) -> list[int]:
        """Encode a rendered text, with nothing put around it.

        Args:
            text: with the broken markers in it.
            breaker: what breaks them; None: nothing was broken.
        """
        if breaker is None or breaker not in text:
            return self._tokenizer.encode(text, special=False)
        if not self._tokenizer.adds_space:
            parts = text.split(breaker)
            return [one for part in parts for one in self._tokenizer.encode(part, special=False)]
        with self._lock:
            if self._renamed is None:
                self._renamed = _Renamed(self._tokenizer, self._markers)
        return self._renamed.encode(self._pattern, text, breaker)


class _Renamed:
    """A tokenizer whose markers go by other names."""

    def __init__(self, tokenizer: Tokenizer, markers: Iterable[str]) -> None:
        nonce = secrets.token_hex(16)
        self._names = {marker: f"[{nonce}{at}]" for at, marker in enumerate(markers)}
        definition = json.loads(tokenizer.to_json())
        definition["post_processor"] = None
        for token in definition["added_tokens"]:
            token["content"] = self._names.get(token["content"], token["content"])
        model = definition["model"]
        vocabulary = model["vocab"]
        if isinstance(vocabulary, dict):
            model["vocab"] = {self._names.get(key, key): at for key, at in vocabulary.items()}
            if model.get("unk_token") in self._names:
                model["unk_token"] = self._names[model["unk_token"]]
        else:
            model["vocab"] = [[self._names.get(key, key), score] for key, score in vocabulary]
        self._fast = FastTokenizer.from_str(json.dumps(definition))
        self._ids = {
            self._fast.token_to_id(self._names.get(content, content)): token_id
            for content, token_id in tokenizer.added_tokens.items()
        }

    def encode(self, markers: re.Pattern[str], text: str, breaker: str) -> list[int]:
        renamed = markers.sub(lambda found: self._names[found[0]], text)
        encoded = self._fast.encode(renamed.replace(breaker, ""), add_special_tokens=False)
        original: Callable[[int, int], int] = self._ids.get
        return [original(token_id, token_id) for token_id in encoded.ids]


def _any_of(contents: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(contents, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
