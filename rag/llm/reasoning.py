"""Keeps a model's thinking apart from its answer where both come in one stream."""

from __future__ import annotations

from rag.ports import ChatDelta

_TAGS = (("<think>", "</think>"), ("<thinking>", "</thinking>"))


class ThinkingSplitter:
    """Splits `<think>…</think>` out of streamed text, however the stream is cut.

    Only thinking at the very beginning counts: that is where models put it, and a book may hold
    such a tag as text. Where the chat template opens the tag for the model, only `</think>` comes;
    what stood before it was sent as text by then and cannot be taken back, so a lone closing tag
    is left to the reader's eyes.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None
        self._past_start = False
        self._trims = False

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
