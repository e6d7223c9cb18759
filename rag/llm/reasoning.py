"""Keeps a model's thinking apart from its answer where both come in one stream."""

from __future__ import annotations

import re

from rag.ports import ChatDelta

_TAGS = (("<think>", "</think>"), ("<thinking>", "</thinking>"))


# Models whose chat template writes `<think>` at the end of the prompt: DeepSeek-R1 and what was
# distilled from it, QwQ, Qwen3-Thinking and others that say so in their name.
_THINKERS = re.compile(r"(?<![a-z0-9])r1(?![0-9])|qwq|thinking|reason", re.IGNORECASE)
MAX_UNTAGGED_CHARACTERS = 20_000
"""How long to wait for a closing tag without an opening one: more than any prompt asks for."""


class ThinkingSplitter:
    """Splits `<think>…</think>` out of streamed text, however the stream is cut.

    Only thinking at the very beginning counts: that is where models put it, and a book may hold
    such a tag as text.

    Where the chat template opens the tag for the model, only `</think>` comes. What is shown
    cannot be taken back, so the text of models that are known to think is held until the tag comes
    (or the end, or MAX_UNTAGGED_CHARACTERS, or thinking sent apart); that of all others streams at
    once, and a lone closing tag in it changes nothing.
    """

    def __init__(self, model: str) -> None:
        """Make a splitter for one reply of a model, whose name tells whether it thinks."""
        self._held = ""
        self._closing: str | None = None
        self._may_lack_opening = _THINKERS.search(model) is not None
        self._past_start = False
        self._trims = False

    def sent_apart(self) -> None:
        """Take note that the endpoint keeps thinking apart, so that none is in the text."""
        self._may_lack_opening = False

    def feed(self, text: str) -> ChatDelta:
        """Take the next piece; return what can be told of it by now."""
        if self._past_start:
            return ChatDelta(text=self._trimmed(text))
        self._held += text
        if self._closing is None:
            return self._at_start()
        return self._inside(self._closing)

    def finish(self) -> ChatDelta:
        """Return what was held back; the stream has ended."""
        held, self._held = self._held, ""
        if self._closing is not None:
            return ChatDelta(reasoning=held)
        return ChatDelta(text=held)

    def _at_start(self) -> ChatDelta:
        begun = self._held.lstrip()
        for opening, closing in _TAGS:
            if begun.startswith(opening):
                self._closing = closing
                self._held = begun.removeprefix(opening)
                return self._inside(closing)
        if any(opening.startswith(begun) for opening, _ in _TAGS):
            return ChatDelta()
        if self._may_lack_opening:
            for _, closing in _TAGS:
                if closing in self._held:
                    return self._inside(closing)
            if len(self._held) < MAX_UNTAGGED_CHARACTERS:
                return ChatDelta()
        return self._release()

    def _inside(self, closing: str) -> ChatDelta:
        thinking, found, rest = self._held.partition(closing)
        if found:
            self._closing = None
            self._held = rest
            self._trims = True
            return ChatDelta(text=self._release().text, reasoning=thinking)
        keep = _partial_end(self._held, closing)
        told = self._held[: len(self._held) - keep]
        self._held = self._held[len(told) :]
        return ChatDelta(reasoning=told)

    def _release(self) -> ChatDelta:
        self._past_start = True
        held, self._held = self._held, ""
        return ChatDelta(text=self._trimmed(held))

    def _trimmed(self, text: str) -> str:
        """Drop the white space between the thinking and the answer."""
        if not self._trims:
            return text
        text = text.lstrip()
        self._trims = not text
        return text


def _partial_end(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` could be the beginning of `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if tag.startswith(text[-size:]):
            return size
    return 0
