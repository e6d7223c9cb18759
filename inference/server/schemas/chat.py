"""Requests and replies of `/v1/chat/completions`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from inference.errors import InvalidParameterError
from inference.requests import MAX_TOP_LOGPROBS
from inference.server.schemas.common import (
    ApiModel,
    ResponseFormat,
    SamplingFields,
    UsageDocument,
)

FUNCTION_NAME = r"^[a-zA-Z0-9_.-]{1,64}$"
MAX_TOOLS = 128
MAX_MESSAGES = 10_000


class TextPart(ApiModel):
    """A part of a message. The models served here read text only."""

    type: Literal["text"]
    text: str


class CalledFunction(ApiModel):
    """What a model called."""

    name: str
    arguments: str = Field(description="A JSON document.")


class ToolCall(ApiModel):
    """A call that the model made."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(ApiModel):
    """A turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class FunctionDefinition(ApiModel):
    """A function that the model may call."""

    name: str = Field(pattern=FUNCTION_NAME)
    description: str | None = None
    parameters: dict[str, Any] | None = Field(None, description="A JSON schema.")
    strict: bool | None = None


class Tool(ApiModel):
    """A tool; all are functions."""

    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(ApiModel):
    """The name of a function."""

    name: str


class NamedTool(ApiModel):
    """The one tool to call."""

    type: Literal["function"]
    function: NamedFunction


class TemplateArguments(ApiModel):
    """What the chat template is told."""

    enable_thinking: bool | None = Field(
        None, description="Whether a model that can reason first does; none: its template's choice."
    )


class ChatRequest(SamplingFields):
    """A conversation to go on with."""

    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = Field(None, ge=1, lt=2**31)
    max_completion_tokens: int | None = Field(None, ge=1, lt=2**31)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=MAX_TOP_LOGPROBS)
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    chat_template_kwargs: TemplateArguments | None = None

    @property
    def thinking(self) -> bool | None:
        """Whether the model reasons first; None: the template's choice."""
        return self.chat_template_kwargs.enable_thinking if self.chat_template_kwargs else None

    @property
    def most_tokens(self) -> int | None:
        """The most tokens to generate, by whichever of its two names."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wanted_top_logprobs(self) -> int | None:
        """How many likeliest tokens are wanted beside the chosen; None: no log-probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def usable_tools(self) -> list[Tool]:
        """The tools that the model is told of."""
        return [] if self.tool_choice == "none" else (self.tools or [])

    @property
    def named_tool(self) -> str | None:
        """The one function that has to be called, where the request names one."""
        return self.tool_choice.function.name if isinstance(self.tool_choice, NamedTool) else None

    def check(self) -> None:
        """Check what no single field can.

        Raises:
            InvalidParameterError: fields that contradict each other.
        """
        self.check_stream_options()
        if self.top_logprobs is not None and not self.logprobs:
            raise InvalidParameterError(
                "top_logprobs", "top_logprobs may only be given where logprobs is true."
            )
        names = [tool.function.name for tool in self.tools or []]
        if not names and self.tool_choice not in (None, "none", "auto"):
            raise InvalidParameterError("tool_choice", "tool_choice asks for a call without tools.")
        if self.named_tool is not None and self.named_tool not in names:
            raise InvalidParameterError(
                "tool_choice", f"tool_choice names “{self.named_tool}”, which tools lacks."
            )
        if len(set(names)) != len(names):
            raise InvalidParameterError("tools", "Two tools have the same name.")


class TokenLogprob(ApiModel):
    """A token and its log-probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class ChosenLogprob(TokenLogprob):
    """The chosen token, and the likeliest ones in its place."""

    top_logprobs: list[TokenLogprob]


class ChatLogprobs(ApiModel):
    """The log-probabilities of an answer."""

    content: list[ChosenLogprob]
    refusal: None


ChatFinish = Literal["stop", "length", "tool_calls"]


class AnswerMessage(ApiModel):
    """What the model said."""

    role: Literal["assistant"]
    content: str | None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: None


class ChatChoice(ApiModel):
    """One answer."""

    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: ChatFinish
    stop_reason: str | int | None = Field(
        None, description="The stop string or token that ended it; none: the model's own end."
    )


class ChatDocument(ApiModel):
    """The whole reply."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageDocument


class FunctionDelta(ApiModel):
    """More of a call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(ApiModel):
    """More of a call; the first one of a call names it."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class ChatDelta(ApiModel):
    """What to append to an answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChatChunkChoice(ApiModel):
    """More of one answer."""

    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: ChatFinish | None = None
    stop_reason: str | int | None = None


class ChatChunk(ApiModel):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChatChunkChoice]
    usage: UsageDocument | None = None
