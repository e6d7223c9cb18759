"""`POST /v1/chat/completions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from inference.chat.messages import ChatMessage, RenderedChat, Tool, ToolCall, ToolChoice
from inference.server.answers import Answers
from inference.server.api import Api
from inference.server.generation import Prepared, Reply, requests_for, respond
from inference.server.schemas import chat as schemas

if TYPE_CHECKING:
    from inference.engine import Engine


class Chat:
    """Goes on with conversations."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def post(self, request: Request) -> Response:
        """Answer a request."""
        body = await self._api.read(request, schemas.ChatRequest)
        reply = Reply.new("chatcmpl", self._api.check_model(body.model))
        body.check()
        engine = self._api.service.engine()
        return await respond(
            self._api,
            request,
            reply,
            lambda answers: _prepare(engine, body, reply, answers),
            stream=bool(body.stream),
            include_usage=body.include_usage,
        )


def _prepare(engine: Engine, body: schemas.ChatRequest, reply: Reply, answers: Answers) -> Prepared:
    raise NotImplementedError


def messages_of(messages: list[schemas.Message]) -> list[ChatMessage]:
    """Return messages as the chat template takes them."""
    return [
        ChatMessage(
            role=message.role,
            content=message.text,
            reasoning=message.reasoning_content,
            tool_calls=tuple(
                ToolCall(call.function.name, call.function.arguments, call.id)
                for call in message.tool_calls or ()
            ),
            tool_call_id=message.tool_call_id,
            name=message.name,
        )
        for message in messages
    ]


def tools_of(tools: list[schemas.Tool]) -> list[Tool]:
    """Return tools as the chat template takes them."""
    return [
        Tool(
            tool.function.name,
            tool.function.description or "",
            tool.function.parameters or {},
        )
        for tool in tools
    ]
