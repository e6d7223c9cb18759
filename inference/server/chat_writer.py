"""Words answers as turns of a conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.chat.messages import AnswerPiece, ToolCall
from inference.outputs import OutputPiece, TokenLogprobs
from inference.server.logprobs import chat_logprobs

if TYPE_CHECKING:
    from inference.chat.answer_parser import AnswerParser
    from inference.text.tokenizer import Tokenizer


@dataclass
class _Choice:
    """What one answer has said so far."""

    parser: AnswerParser
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    finish_reason: str | None = None
    stop_reason: str | int | None = None

    def parse(self, piece: OutputPiece) -> AnswerPiece:
        """Return what a piece adds, and note how the answer ended."""
        parsed = self.parser.push(piece.text)
        if piece.finish_reason is not None:
            parsed = _joined(parsed, self.parser.flush())
        self.tool_calls += parsed.tool_calls
        if piece.finish_reason is not None:
            called = piece.finish_reason == "stop" and self.tool_calls
            self.finish_reason = "tool_calls" if called else piece.finish_reason
            self.stop_reason = piece.stop_reason
        return parsed


def _joined(first: AnswerPiece, second: AnswerPiece) -> AnswerPiece:
    return AnswerPiece(
        first.content + second.content,
        first.reasoning + second.reasoning,
        (*first.tool_calls, *second.tool_calls),
    )


class ChatWriter:
    """Words answers as turns of a conversation: content, reasoning and calls apart."""

    whole_kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def __init__(
        self,
        tokenizer: Tokenizer,
        parser: Callable[[], AnswerParser],
        count: int,
        *,
        wants_logprobs: bool,
    ) -> None:
        """Make a writer.

        Args:
            tokenizer: tells what tokens say.
            parser: makes what takes one answer apart.
            count: how many answers there are.
            wants_logprobs: whether log-probabilities are shown.
        """
        self._tokenizer = tokenizer
        self._wants_logprobs = wants_logprobs
        self._choices = [_Choice(parser()) for _ in range(count)]

    def opening(self) -> list[dict[str, Any]]:
        """Return the events that say who speaks."""
        delta = {"role": "assistant", "content": ""}
        return [self._chunk(index, delta) for index in range(len(self._choices))]

    def chunks(self, piece: OutputPiece) -> list[dict[str, Any]]:
        """Return the events that a piece makes: reasoning, content, calls and the end apart."""
        choice = self._choices[piece.choice]
        first_call = len(choice.tool_calls)
        parsed = choice.parse(piece)
        deltas: list[dict[str, Any]] = []
        if parsed.reasoning:
            deltas.append({"reasoning_content": parsed.reasoning})
        if parsed.content:
            deltas.append({"content": parsed.content})
        deltas += [
            {"tool_calls": [{"index": first_call + place, **_call(call)}]}
            for place, call in enumerate(parsed.tool_calls)
        ]
        if piece.logprobs and not deltas:
            deltas.append({})
        chunks = [self._chunk(piece.choice, delta) for delta in deltas]
        if piece.logprobs and self._wants_logprobs:
            chunks[0]["logprobs"] = chat_logprobs(piece.logprobs, self._tokenizer)
        if choice.finish_reason is not None:
            last = self._chunk(piece.choice, {})
            last["finish_reason"] = choice.finish_reason
            last["stop_reason"] = choice.stop_reason
            chunks.append(last)
        return chunks

    def add(self, piece: OutputPiece) -> None:
        """Take a piece of a whole reply."""
        choice = self._choices[piece.choice]
        parsed = choice.parse(piece)
        choice.content.append(parsed.content)
        choice.reasoning.append(parsed.reasoning)
        choice.logprobs += piece.logprobs

    def choices(self) -> list[dict[str, Any]]:
        """Return the whole answers."""
        return [self._whole(index, choice) for index, choice in enumerate(self._choices)]

    def _whole(self, index: int, choice: _Choice) -> dict[str, Any]:
        content, reasoning = "".join(choice.content), "".join(choice.reasoning)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content if content or not choice.tool_calls else None,
            "refusal": None,
        }
        if reasoning:
            message["reasoning_content"] = reasoning
        if choice.tool_calls:
            message["tool_calls"] = [_call(call) for call in choice.tool_calls]
        logprobs = None
        if self._wants_logprobs:
            logprobs = chat_logprobs(choice.logprobs, self._tokenizer)
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": choice.finish_reason,
            "stop_reason": choice.stop_reason,
        }

    def _chunk(self, index: int, delta: dict[str, Any]) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
