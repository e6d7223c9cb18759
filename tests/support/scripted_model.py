"""A ChatModel in memory that says what a test has it say."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from core.errors import EndpointError
from rag.ports import ChatDelta, ChatMessage


@dataclass
class ScriptedModel:
    """Gives its replies in order.

    Attributes:
        replies: each a list of pieces, or the error it fails with.
        asked: the messages of each call so far.
    """

    replies: list[Sequence[str] | EndpointError]
    asked: list[Sequence[ChatMessage]] = field(default_factory=list)
    name: str = "scripted"
    context_tokens: int = 8192

    async def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[ChatDelta, None]:
        self.asked.append(messages)
        reply = self.replies.pop(0)
        if isinstance(reply, EndpointError):
            raise reply
        for piece in reply:
            yield ChatDelta(piece)
        yield ChatDelta(finish_reason="stop")
