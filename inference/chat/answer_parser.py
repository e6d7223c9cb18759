"""Takes an answer apart while it streams: reasoning, content and tool calls."""

from __future__ import annotations

from collections.abc import Sequence

from inference.chat.messages import AnswerPiece, ToolCall
from inference.chat.reasoning import ReasoningSplitter, ReasoningTags
from inference.chat.tool_calls import ToolCallParser, ToolSyntax


class AnswerParser:
    """Reads one answer. How its text is cut into pieces makes no difference to the whole."""

    def __init__(
        self,
        *,
        reasoning_tags: ReasoningTags | None = None,
        reasoning_open: bool = False,
        tool_syntax: ToolSyntax | None = None,
        tool_names: Sequence[str] = (),
        drops_leading_space: bool = False,
    ) -> None:
        """Begin an answer.

        Args:
            reasoning_tags: what the model puts around its reasoning; None: all is content.
            reasoning_open: whether the prompt holds the begin tag already.
            tool_syntax: how the model writes calls; None: no tools were offered.
            tool_names: the tools offered.
            drops_leading_space: whether one space at the beginning is the tokenizer's.
        """
        self._reasoning = (
            ReasoningSplitter(reasoning_tags, is_open=reasoning_open) if reasoning_tags else None
        )
        self._calls = ToolCallParser(tool_syntax, tool_names) if tool_syntax else None
        self._drops_leading_space = drops_leading_space

    def push(self, text: str) -> AnswerPiece:
        """Take further text; what it adds."""
        if self._drops_leading_space and text:
            self._drops_leading_space = False
            text = text.removeprefix(" ")
        reasoning, content = self._reasoning.push(text) if self._reasoning else ("", text)
        calls: Sequence[ToolCall] = ()
        if self._calls:
            content, calls = self._calls.push(content)
        return AnswerPiece(content, reasoning, calls)

    def flush(self) -> AnswerPiece:
        """End the answer; what was held back."""
        reasoning, content = self._reasoning.flush() if self._reasoning else ("", "")
        calls: list[ToolCall] = []
        if self._calls:
            content, found = self._calls.push(content)
            rest, more = self._calls.flush()
            content, calls = content + rest, [*found, *more]
        return AnswerPiece(content, reasoning, calls)
