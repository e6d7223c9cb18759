"""`POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from inference.chat.messages import ChatMessage, RenderedChat, Tool, ToolCall, ToolChoice
from inference.errors import GrammarError
from inference.requests import SamplingParams
from inference.server.answers import Answers
from inference.server.api import Api
from inference.server.api_errors import ApiError
from inference.server.chat_writer import ChatWriter
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
    tools = tools_of(body.usable_tools)
    rendered = engine.chat.render(messages_of(body.messages), tools, thinking=body.thinking)
    try:
        answers.submit(
            requests_for(
                reply, [rendered.token_ids], _params(engine, body, rendered, tools), body.choices
            )
        )
    except GrammarError as error:
        field = "tools" if tools else "response_format"
        raise ApiError(400, str(error), code="invalid_schema", parameter=field) from error
    writer = ChatWriter(
        engine.tokenizer,
        lambda: engine.chat.parser(rendered, tools),
        body.choices,
        wants_logprobs=bool(body.logprobs),
    )
    return Prepared(writer, answers, body.choices)


def _params(
    engine: Engine, body: schemas.ChatRequest, rendered: RenderedChat, tools: Sequence[Tool]
) -> SamplingParams:
    response = body.response_format.grammar() if body.response_format else None
    params = body.sampling_params(
        engine.config.vocab_size,
        max_tokens=body.most_tokens,
        top_logprobs=body.wanted_top_logprobs,
        grammar=engine.chat.grammar(rendered, tools, _choice_of(body), response),
    )
    return replace(params, stop=(*params.stop, *engine.chat.stop_strings))


def _choice_of(body: schemas.ChatRequest) -> ToolChoice:
    parallel = body.parallel_tool_calls is not False
    match body.tool_choice:
        case schemas.NamedTool() as named:
            return ToolChoice("named", named.function.name, parallel)
        case "none" | "required" as mode:
            return ToolChoice(mode, parallel=parallel)
        case _:
            return ToolChoice("auto", parallel=parallel)


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
