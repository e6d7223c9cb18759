"""Messages, tools and answers of a conversation, shaped as in OpenAI's chat API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that a model wants called.

    Attributes:
        name: the function's.
        arguments: a JSON document, as a string.
        call_id: what the tool's reply refers to.
    """

    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn.

    Attributes:
        role: who speaks; "developer" is another name of "system".
        content: what is said.
        reasoning: what an assistant thought before, where it is known.
        tool_calls: what an assistant wants called.
        tool_call_id: for a tool's reply: which call it answers.
        name: the tool's or the speaker's name.
    """

    role: Role
    content: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: the function's.
        description: what it does, for the model.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model calls tools.

    Attributes:
        mode: "none": never; "auto": as it likes; "required": at least once; "named": `name`, once.
        name: the one function to call.
        parallel: whether it may call more than once in one answer.
    """

    mode: Literal["none", "auto", "required", "named"] = "auto"
    name: str = ""
    parallel: bool = True


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A conversation as the model reads it.

    Attributes:
        text: the prompt, for people; the names of special tokens that a message contains look
            here as if they were special tokens.
        token_ids: the prompt, for the model; there they are plain text.
        reasoning_open: whether the prompt ends within reasoning, so that the answer begins in it.
    """

    text: str
    token_ids: tuple[int, ...]
    reasoning_open: bool = False


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """What a piece of an answer adds to its parts.

    Attributes:
        content: to append to the content.
        reasoning: to append to the reasoning.
        tool_calls: whole calls, with ids.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: Sequence[ToolCall] = ()
