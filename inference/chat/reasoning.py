"""Takes a model's reasoning out of its answer while it streams."""

from __future__ import annotations

from typing import NamedTuple


class ReasoningTags(NamedTuple):
    """What stands around reasoning."""

    begin: str
    end: str


REASONING_TAGS = (ReasoningTags("<think>", "</think>"), ReasoningTags("[THINK]", "[/THINK]"))


def held_back(text: str, tag: str) -> int:
    """How many characters at the text's end may be the beginning of a tag."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0


class ReasoningSplitter:
    """Splits an answer into reasoning and content.

    Reasoning stands at the very beginning, between the tags, or up to the end tag where the prompt
    already holds the begin tag. Space around it belongs to neither. Tags elsewhere are content;
    reasoning that is never ended is reasoning to the end.
    """

    def __init__(self, tags: ReasoningTags, *, is_open: bool) -> None:
        self._tags = tags
        self._stage = "reasoning" if is_open else "start"
        self._pending = ""
        self._at_edge = True  # nothing but space has come in this stage

    def push(self, text: str) -> tuple[str, str]:
        """Take further text; the reasoning and the content that are certain now."""
        self._pending += text
        reasoning = ""
        if self._stage == "start":
            self._look_for_begin()
        if self._stage == "reasoning":
            reasoning = self._read_reasoning()
        content = self._read_content() if self._stage == "content" else ""
        return reasoning, content

    def flush(self) -> tuple[str, str]:
        """End the answer; what was held back."""
        rest, self._pending = self._pending, ""
        if self._stage == "reasoning":
            return rest.rstrip() if not self._at_edge else rest.strip(), ""
        return "", rest

    def _look_for_begin(self) -> None:
        begun = self._pending.lstrip()
        if begun.startswith(self._tags.begin):
            self._stage = "reasoning"
            self._pending = begun[len(self._tags.begin) :]
        elif not self._tags.begin.startswith(begun):
            self._stage = "content"
            self._at_edge = False  # there was no reasoning: space at the beginning is content

    def _read_reasoning(self) -> str:
        end = self._pending.find(self._tags.end)
        if end >= 0:
            reasoning = self._pending[:end].rstrip()
            self._pending = self._pending[end + len(self._tags.end) :]
            if self._at_edge:
                reasoning = reasoning.lstrip()
            self._stage, self._at_edge = "content", True
            return reasoning
        certain = self._pending[: len(self._pending) - held_back(self._pending, self._tags.end)]
        reasoning = certain.rstrip()  # space is held back: the end tag may follow
        self._pending = self._pending[len(reasoning) :]
        if self._at_edge:
            reasoning = reasoning.lstrip()
            self._at_edge = not reasoning
        return reasoning

    def _read_content(self) -> str:
        content, self._pending = self._pending, ""
        if self._at_edge:
            content = content.lstrip()
            self._at_edge = not content
        return content
