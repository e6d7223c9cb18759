"""Chat completions, with OpenAI's own client as the caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from inference.server.schemas.chat import ChatChunk, ChatDocument
from support.engine_server import RunningServer

MESSAGES: Any = [
    {"role": "system", "content": "Answer from the book alone."},
    {"role": "user", "content": "Who lit the lamp? 你好 🐋"},
]
QUICK: Any = {"chat_template_kwargs": {"enable_thinking": False}}
ENDLESS: Any = {"ignore_eos": True, **QUICK}
PERSON: Any = {
    "type": "object",
    "properties": {
        "name": {"enum": ["Ishmael", "Queequeg", "亚哈"]},
        "age": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
LOOK_UP: Any = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"enum": ["whale", "lamp"]}},
            "required": ["word"],
            "additionalProperties": False,
        },
    },
}
TURN_PAGE: Any = {
    "type": "function",
    "function": {
        "name": "turn_page",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["to"],
            "additionalProperties": False,
        },
    },
}


def text_of(chunks: Iterable[ChatCompletionChunk], choice: int = 0) -> str:
    return "".join(
        part.delta.content or ""
        for chunk in chunks
        for part in chunk.choices
        if part.index == choice
    )


class TestAnswers:
    def test_a_whole_answer(self, server: RunningServer) -> None:
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=12, temperature=0, extra_body=ENDLESS
        )
        assert reply.object == "chat.completion"
        assert reply.model == server.model
        assert reply.choices[0].message.role == "assistant"
        assert reply.choices[0].message.content
        assert reply.choices[0].finish_reason == "length"
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 12
        assert reply.usage.total_tokens == reply.usage.prompt_tokens + 12

    def test_the_documents_are_as_described(self, server: RunningServer) -> None:
        body = {
            "messages": MESSAGES, "max_tokens": 8, "logprobs": True, "top_logprobs": 2, "n": 2,
            "tools": [LOOK_UP],
        }  # fmt: skip
        whole = server.http.post("/v1/chat/completions", json=body)
        ChatDocument.model_validate_json(whole.content)
        streamed = server.http.post("/v1/chat/completions", json=body | {"stream": True})
        assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
        events = [event for event in streamed.text.split("\n\n") if event.startswith("data:")]
        assert events[-1] == "data: [DONE]"
        for event in events[:-1]:
            ChatChunk.model_validate_json(event.removeprefix("data: "))

    def test_a_stream_says_what_the_whole_says(self, server: RunningServer) -> None:
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 60, "temperature": 0.8,
            "seed": 7, "n": 3, "extra_body": ENDLESS,
        }  # fmt: skip
        whole = server.client().chat.completions.create(**request)
        chunks = list(server.client().chat.completions.create(**request, stream=True))
        assert len({chunk.id for chunk in chunks}) == 1
        for choice in whole.choices:
            assert text_of(chunks, choice.index) == choice.message.content
        texts = {choice.message.content for choice in whole.choices}
        assert len(texts) == 3

    def test_usage_in_a_stream_only_where_asked_for(self, server: RunningServer) -> None:
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 4, "stream": True,
        }  # fmt: skip
        client = server.client()
        plain = list(client.chat.completions.create(**request))
        assert all(chunk.usage is None and chunk.choices for chunk in plain)
        *chunks, last = client.chat.completions.create(
            **request, stream_options={"include_usage": True}
        )
        assert all(chunk.usage is None for chunk in chunks)
        assert not last.choices
        assert last.usage is not None
        assert 1 <= last.usage.completion_tokens <= 4

    def test_the_first_chunk_says_who_speaks(self, server: RunningServer) -> None:
        first, *rest = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=3, stream=True
        )
        assert first.choices[0].delta.role == "assistant"
        assert [chunk.choices[0].finish_reason for chunk in rest].count(None) == len(rest) - 1
        assert rest[-1].choices[0].finish_reason

    def test_the_second_question_finds_the_first_in_the_cache(self, server: RunningServer) -> None:
        book = {"role": "system", "content": "The keeper lit the lamp each evening. " * 20}

        def cached(question: str) -> int:
            reply = server.client().chat.completions.create(
                model=server.model, max_tokens=1,
                messages=[book, {"role": "user", "content": question}],  # type: ignore[list-item]
            )  # fmt: skip
            assert reply.usage is not None
            assert reply.usage.prompt_tokens_details is not None
            return reply.usage.prompt_tokens_details.cached_tokens or 0

        assert cached("Who?") == 0
        assert cached("When?") > 100

    def test_stop_strings(self, server: RunningServer) -> None:
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 40, "temperature": 0,
            "extra_body": ENDLESS,
        }  # fmt: skip
        client = server.client()
        full = client.chat.completions.create(**request).choices[0].message.content
        assert full is not None
        stop = full[10:13]
        for given in (stop, ["never said", stop]):
            chunks = list(client.chat.completions.create(**request, stop=given, stream=True))
            assert text_of(chunks) == full[: full.index(stop)]
            assert chunks[-1].choices[0].finish_reason == "stop"
            assert chunks[-1].choices[0].model_dump()["stop_reason"] == stop

    def test_logprobs(self, server: RunningServer) -> None:
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 30, "logprobs": True,
            "top_logprobs": 3, "temperature": 0, "extra_body": ENDLESS,
        }  # fmt: skip
        client = server.client()
        whole = client.chat.completions.create(**request).choices[0]
        assert whole.logprobs is not None
        entries = whole.logprobs.content
        assert entries is not None
        assert len(entries) == 30
        assert all(len(entry.top_logprobs) == 3 for entry in entries)
        assert all(entry.top_logprobs[0].token == entry.token for entry in entries)
        said = b"".join(bytes(entry.bytes or ()) for entry in entries).decode(errors="replace")
        assert whole.message.content is not None
        assert said.startswith(whole.message.content[:10])
        streamed = [
            entry
            for chunk in client.chat.completions.create(**request, stream=True)
            for choice in chunk.choices
            if choice.logprobs
            for entry in choice.logprobs.content or ()
        ]
        assert [entry.token for entry in streamed] == [entry.token for entry in entries]

    def test_logit_bias(self, server: RunningServer) -> None:
        (token_id,) = server.engine.tokenizer.encode(" lamp")[:1]
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=5, temperature=0,
            logit_bias={str(token_id): 100},
        )  # fmt: skip
        content = reply.choices[0].message.content
        assert content == server.engine.tokenizer.decode([token_id]) * 5

    def test_either_name_of_the_limit(self, server: RunningServer) -> None:
        for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
            reply = server.client().chat.completions.create(
                model=server.model, messages=MESSAGES, extra_body=ENDLESS, **limit
            )  # type: ignore[call-overload]
            assert reply.usage.completion_tokens == 3

    async def test_many_at_once(self, server: RunningServer) -> None:
        async with server.async_client() as client:

            async def said(seed: int) -> str:
                stream = await client.chat.completions.create(
                    model=server.model, messages=MESSAGES, max_tokens=20, seed=seed, stream=True
                )
                return text_of([chunk async for chunk in stream])

            together = await asyncio.gather(*(said(seed) for seed in range(16)))
            assert await said(3) == together[3]


class TestForms:
    def test_a_json_schema(self, server: RunningServer) -> None:
        for seed in range(5):
            reply = server.client().chat.completions.create(
                model=server.model, messages=MESSAGES, max_tokens=100, seed=seed,
                response_format={
                    "type": "json_schema", "json_schema": {"name": "person", "schema": PERSON},
                },
                extra_body=QUICK,
            )  # fmt: skip
            person = json.loads(reply.choices[0].message.content or "")
            assert person["name"] in PERSON["properties"]["name"]["enum"]
            assert 1 <= person["age"] <= 99
            assert reply.choices[0].finish_reason == "stop"

    def test_a_json_object(self, server: RunningServer) -> None:
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=200, seed=1,
            response_format={"type": "json_object"},
            extra_body=QUICK,
        )  # fmt: skip
        assert (reply.choices[0].message.content or "").lstrip().startswith("{")

    @pytest.mark.parametrize(
        "schema", [{"type": "whale"}, {"$ref": "https://example.org/x"}, {"properties": 3}, False]
    )
    def test_a_schema_that_is_none(self, server: RunningServer, schema: Any) -> None:
        with pytest.raises(openai.BadRequestError) as raised:
            server.client().chat.completions.create(
                model=server.model, messages=MESSAGES,
                response_format={
                    "type": "json_schema", "json_schema": {"name": "x", "schema": schema},
                },
            )  # fmt: skip
        assert raised.value.code == "invalid_schema"
        assert raised.value.param == "response_format"

    def test_reasoning_stands_apart(self, server: RunningServer) -> None:
        """The model is pushed to think one word, then to answer."""
        ids = server.engine.tokenizer.added_tokens
        (whale,) = server.engine.tokenizer.encode("whale")
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 100, "temperature": 0,
            "logit_bias": {str(ids["<think>"]): 100, str(whale): 95, str(ids["</think>"]): 90},
            "frequency_penalty": 100,
            "response_format": {
                "type": "json_schema", "json_schema": {"name": "x", "schema": PERSON},
            },
        }  # fmt: skip
        client = server.client()
        message = client.chat.completions.create(**request).choices[0].message
        assert message.model_dump()["reasoning_content"] == "whale"
        assert json.loads(message.content or "")
        reasoning, content = "", ""
        for chunk in client.chat.completions.create(**request, stream=True):
            delta = chunk.choices[0].delta
            reasoning += delta.model_dump().get("reasoning_content") or ""
            content += delta.content or ""
        assert (reasoning, content) == ("whale", message.content)


class TestTools:
    @pytest.mark.parametrize("seed", range(3))
    def test_a_call_always_parses(self, server: RunningServer, seed: int) -> None:
        request: Any = {
            "model": server.model, "messages": MESSAGES, "max_tokens": 200, "seed": seed,
            "tools": [LOOK_UP, TURN_PAGE], "tool_choice": "required",
            "parallel_tool_calls": False, "extra_body": QUICK,
        }  # fmt: skip
        choice = server.client().chat.completions.create(**request).choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls or ()
        assert call.id
        assert call.type == "function"
        assert call.function.name in ("look_up", "turn_page")
        arguments = json.loads(call.function.arguments)
        assert arguments.keys() == ({"word"} if call.function.name == "look_up" else {"to"})
        deltas = [
            part
            for chunk in server.client().chat.completions.create(**request, stream=True)
            for part in chunk.choices[0].delta.tool_calls or ()
        ]
        assert deltas[0].index == 0
        assert deltas[0].function is not None
        assert deltas[0].function.name == call.function.name
        written = "".join(part.function.arguments or "" for part in deltas if part.function)
        assert json.loads(written) == arguments

    def test_a_named_tool(self, server: RunningServer) -> None:
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=200, tools=[LOOK_UP, TURN_PAGE],
            tool_choice={"type": "function", "function": {"name": "turn_page"}}, extra_body=QUICK,
        )  # fmt: skip
        (call,) = reply.choices[0].message.tool_calls or ()
        assert call.type == "function"
        assert call.function.name == "turn_page"

    def test_the_whole_way_of_a_call(self, server: RunningServer) -> None:
        """A call, and what the tool said, are part of the next prompt."""
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"word": "whale"}'},
        }
        messages = [
            *MESSAGES,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a large animal of the sea"},
        ]
        reply = server.client().chat.completions.create(
            model=server.model, messages=messages, tools=[LOOK_UP], max_tokens=5, extra_body=ENDLESS
        )
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 5

    def test_none_means_none(self, server: RunningServer) -> None:
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=30, tools=[LOOK_UP],
            tool_choice="none",
        )  # fmt: skip
        assert not reply.choices[0].message.tool_calls

    @pytest.mark.parametrize(
        "fields",
        [
            {"tool_choice": "required"},
            {"tools": [LOOK_UP], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            {"tools": [LOOK_UP, LOOK_UP]},
            {"tools": [{"type": "function", "function": {"name": "no spaces"}}]},
        ],
    )
    def test_wrong_tools(self, server: RunningServer, fields: Any) -> None:
        with pytest.raises(openai.BadRequestError):
            server.client().chat.completions.create(model=server.model, messages=MESSAGES, **fields)


class TestWrongRequests:
    @pytest.mark.parametrize(
        ("fields", "parameter"),
        [
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "whale", "content": "x"}]}, "messages[0].role"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None),
            ({"top_logprobs": 3}, "top_logprobs"),
            ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"stop": ["x"] * 10_000}, "stop"),
        ],
    )
    def test_the_field_is_named(
        self, server: RunningServer, fields: Any, parameter: str | None
    ) -> None:
        with pytest.raises(openai.BadRequestError) as raised:
            server.client().chat.completions.create(
                **({"model": server.model, "messages": MESSAGES} | fields)
            )
        assert raised.value.type == "invalid_request_error"
        if parameter is not None:
            assert raised.value.param == parameter

    def test_a_conversation_longer_than_the_context(self, server: RunningServer) -> None:
        with pytest.raises(openai.BadRequestError) as raised:
            server.client().chat.completions.create(
                model=server.model, messages=[{"role": "user", "content": "lamp " * 5000}]
            )
        assert raised.value.code == "context_length_exceeded"
        assert "1024" in raised.value.message

    def test_tokens_of_a_conversation(self, server: RunningServer) -> None:
        counted = server.http.post("/tokenize", json={"messages": MESSAGES}).json()
        reply = server.client().chat.completions.create(
            model=server.model, messages=MESSAGES, max_tokens=1
        )
        assert reply.usage is not None
        assert reply.usage.prompt_tokens == counted["count"]
        text = server.http.post("/detokenize", json={"tokens": counted["tokens"]}).json()["prompt"]
        assert "Who lit the lamp? 你好 🐋" in text
