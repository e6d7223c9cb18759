"""LLMClient against a scripted server, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from core.endpoints import Endpoint
from core.errors import (
    ContextOverflowError,
    EndpointAuthError,
    EndpointError,
    EndpointModelError,
    EndpointProtocolError,
    EndpointRateError,
    EndpointServerError,
    EndpointTimeoutError,
    EndpointUnreachableError,
)
from rag.llm import LLMClient, client, connection, wire
from rag.llm.failures import MAX_READ_CHARACTERS
from rag.llm.reasoning import MAX_UNTAGGED_CHARACTERS, ThinkingSplitter
from rag.ports import ChatDelta, ChatMessage
from support.endpoint import (
    KEY,
    MODEL,
    Script,
    ScriptedEndpoint,
    Step,
    chunk,
    completion,
    cut_stream,
    document,
    error,
    event,
    head,
    models,
    overflow_errors,
    page,
    raw_stream,
    scripted_endpoint,
    stream,
)

QUESTION = [ChatMessage("user", "Who is Ahab?")]


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with scripted_endpoint() as endpoint:
        yield endpoint


@pytest_asyncio.fixture
async def llm(server: ScriptedEndpoint) -> AsyncIterator[LLMClient]:
    made = LLMClient(Endpoint("whale", server.url, MODEL), KEY)
    yield made
    await made.close()


async def ask(llm: LLMClient) -> ChatDelta:
    """Return the whole reply as one delta."""
    deltas = [delta async for delta in llm.stream(QUESTION, max_tokens=50)]
    return ChatDelta(
        "".join(delta.text for delta in deltas),
        "".join(delta.reasoning for delta in deltas),
        deltas[-1].finish_reason,
    )


async def test_streams_what_the_endpoint_sends(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(stream("The captain ", "of the ", "Pequod."))
    assert await ask(llm) == ChatDelta("The captain of the Pequod.", "", "stop")
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Who is Ahab?"}],
        "max_tokens": 50,
        "temperature": 0.0,
        "stream": True,
    }


async def test_without_a_key_none_is_sent(server: ScriptedEndpoint) -> None:
    server.script(stream("Yes."))
    llm = LLMClient(Endpoint("whale", server.url, MODEL), None)
    await ask(llm)
    await llm.close()
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_base_urls_as_readers_write_them(server: ScriptedEndpoint, ending: str) -> None:
    server.script(stream("Yes."))
    llm = LLMClient(Endpoint("whale", server.url.removesuffix("/v1") + ending, MODEL), KEY)
    await ask(llm)
    await llm.close()
    assert server.requests[0].path == "/v1/chat/completions"


@pytest.mark.parametrize(
    "url", ["ftp://localhost/v1", "localhost:8080", "", "http://", "http://u:secret@localhost/v1"]
)
async def test_addresses_that_are_none(url: str) -> None:
    llm = LLMClient(Endpoint("whale", url, MODEL), KEY)
    with pytest.raises(EndpointError, match="address") as caught:
        await ask(llm)
    assert "secret" not in str(caught.value)
    await llm.close()


TEXT = "“Ahab” – 白鯨 🐋."


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(stream(TEXT, done=False), id="no [DONE]"),
        pytest.param(stream(TEXT, finish_reason=None), id="no finish_reason"),
        pytest.param(completion(TEXT), id="one JSON document"),
        pytest.param(
            raw_stream(b": waiting\n\n", *stream(TEXT)[1:-1], b": still\n\n", b"data: [DONE]\n\n"),
            id="comments",
        ),
        pytest.param(
            raw_stream(*(Step(bytes([byte])) for step in stream(TEXT)[1:] for byte in step.data)),
            id="byte by byte",
        ),
        pytest.param(
            raw_stream(*(step.data.replace(b"\n", b"\r\n") for step in stream(TEXT)[1:])),
            id="CRLF",
        ),
        pytest.param(
            stream({"choices": []}, chunk(TEXT), {"choices": [], "usage": {"total_tokens": 9}}),
            id="events without choices",
        ),
        pytest.param(
            stream({"choices": [{"delta": {"role": "assistant", "content": None}}]}, chunk(TEXT)),
            id="null content",
        ),
        pytest.param(
            [head(200, "text/event-stream; charset=latin-1"), *stream(TEXT)[1:]], id="wrong charset"
        ),
    ],
)  # fmt: skip
async def test_streams_of_every_habit(
    server: ScriptedEndpoint, llm: LLMClient, script: Script
) -> None:
    server.script(script)
    assert await ask(llm) == ChatDelta(TEXT, "", "stop")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(stream(chunk(reasoning_content="Hm. "), "Ahab."), id="reasoning_content"),
        pytest.param(stream(chunk(reasoning="Hm. "), "Ahab."), id="reasoning"),
        pytest.param(stream("<think>Hm. </think>\n\nAhab."), id="tags"),
        pytest.param(stream(*"\n<think>Hm. </think>\n\nAhab."), id="tags, letter by letter"),
        pytest.param(completion("<think>Hm. </think>Ahab."), id="tags in one document"),
    ],
)
async def test_thinking_is_kept_apart(
    server: ScriptedEndpoint, llm: LLMClient, script: Script
) -> None:
    server.script(script)
    assert await ask(llm) == ChatDelta("Ahab.", "Hm. ", "stop")


@pytest.mark.parametrize("text", ["A <think> in the middle</think>", "<thinly veiled>", "<", "  x"])
async def test_what_only_looks_like_thinking_stays(
    server: ScriptedEndpoint, llm: LLMClient, text: str
) -> None:
    server.script(stream(*text))
    assert (await ask(llm)).text == text


@pytest.fixture
def splitter() -> ThinkingSplitter:
    return ThinkingSplitter("deepseek-r1:14b")


@pytest.mark.parametrize("name", ["DeepSeek-R1", "qwq", "Qwen3-4B-Thinking-2507", "phi4-reasoning"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_template_may_open_the_thinking(name: str, size: int) -> None:
    splitter = ThinkingSplitter(name)
    reply = "Hm, who is it?\n</think>\n\nAhab </think> ends."
    deltas = [splitter.feed(reply[at : at + size]) for at in range(0, len(reply), size)]
    deltas.append(splitter.finish())
    assert "".join(delta.reasoning for delta in deltas) == "Hm, who is it?\n"
    assert "".join(delta.text for delta in deltas) == "Ahab </think> ends."


def test_an_answer_without_thinking_is_not_lost(splitter: ThinkingSplitter) -> None:
    assert splitter.feed("Ahab.") == ChatDelta()
    assert splitter.finish() == ChatDelta("Ahab.")


def test_waiting_for_a_closing_tag_ends_some_time(splitter: ThinkingSplitter) -> None:
    assert splitter.feed("whale " * MAX_UNTAGGED_CHARACTERS).text
    assert splitter.feed("Ahab.") == ChatDelta("Ahab.")


@pytest.mark.parametrize(
    "name", ["gpt-4o", "llama3.1", "qwen3-30b-a3b-instruct-2507", "r12", "qwr1"]
)
def test_other_models_are_not_held_back(name: str) -> None:
    assert ThinkingSplitter(name).feed("Ahab.") == ChatDelta("Ahab.")


async def test_thinking_sent_apart_leaves_the_answer_streaming(server: ScriptedEndpoint) -> None:
    server.script(stream({"choices": [{"delta": {"reasoning_content": "Hm."}}]}, "Ahab ", "is."))
    llm = LLMClient(Endpoint("whale", server.url, "deepseek-r1"), None)
    texts = [delta.text async for delta in llm.stream(QUESTION, max_tokens=50) if delta.text]
    await llm.close()
    assert texts == ["Ahab ", "is."]


async def test_the_limit_on_the_reply_is_told(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(stream("And so", finish_reason="length"))
    assert (await ask(llm)).finish_reason == "length"


ERRORS: list[tuple[Script, type[EndpointError], str]] = [
    (error(401, {"error": {"message": f"bad key {KEY}"}}), EndpointAuthError, "refuses the key"),
    (error(403, {"error": "no"}), EndpointAuthError, "does not let this key use"),
    (error(404, {"error": {"message": "no model"}}), EndpointModelError, "knows no model"),
    (error(404, "not found"), EndpointModelError, "/v1/chat/completions"),
    (error(429, {}, Retry_After="7"), EndpointRateError, "in 7 seconds"),
    (error(500, {"error": {"message": "out of memory"}}), EndpointServerError, "out of memory"),
    (error(503, {"detail": "loading"}), EndpointServerError, "status 503.*loading"),
    (error(422, {"message": "no such field"}), EndpointError, "status 422.*no such field"),
    ([head(502, "text/html"), Step(b"<html>Bad gateway")], EndpointServerError, "502"),
    ([head(307, "text/html", Location="http://other.test/")], EndpointProtocolError, "other.test"),
    (page(), EndpointProtocolError, "web page"),
    (completion("")[:1], EndpointProtocolError, "empty reply"),
    (raw_stream(), EndpointProtocolError, "empty reply"),
    (raw_stream(b"data: [DONE]\n\n"), EndpointProtocolError, "empty reply"),
    (raw_stream(b"data: {not json\n\n"), EndpointProtocolError, "not JSON"),
    (raw_stream(b'data: {"foo": 1}\n\n'), EndpointProtocolError, "not the API's"),
    (raw_stream(b'data: {"choices": [{"delta": 5}]}\n\n'), EndpointProtocolError, "API"),
    (raw_stream(b"data: " + b"[" * 100_000 + b"\n\n"), EndpointProtocolError, "not JSON"),
    (document({"choices": []}), EndpointProtocolError, "without an answer"),
    (document([1, 2]), EndpointProtocolError, "not the API's"),
    (cut_stream("Call me "), EndpointProtocolError, "broke off"),
    (stream("Call me ", finish_reason=None, done=False), EndpointProtocolError, "broke off"),
    ([Step(b"")], EndpointProtocolError, "broke off"),
    ([Step(b"SSH-2.0-OpenSSH_9.9\r\n")], EndpointProtocolError, "broke off"),
    (stream("A", {"error": {"message": "CUDA error", "code": 500}}), EndpointServerError, "CUDA"),
    ([head(200, "text/event-stream", Content_Encoding="br")], EndpointProtocolError, "compressed"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "kind", "message"), ERRORS)
async def test_failures_are_typed_and_told_in_sentences(
    server: ScriptedEndpoint,
    llm: LLMClient,
    script: Script,
    kind: type[EndpointError],
    message: str,
) -> None:
    server.script(script)
    with pytest.raises(kind, match=message) as caught:
        await ask(llm)
    assert type(caught.value) is kind
    assert "“whale”" in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1, "a question is sent once"


@pytest.mark.parametrize(("server_name", "script"), overflow_errors())
async def test_context_overflow_in_every_wording(
    server: ScriptedEndpoint, llm: LLMClient, server_name: str, script: Script
) -> None:
    server.script(script)
    with pytest.raises(ContextOverflowError, match="context size"):
        await ask(llm)


async def test_retry_after_may_be_a_date(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(error(429, {}, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"))
    with pytest.raises(EndpointRateError) as caught:
        await ask(llm)
    assert caught.value.retry_after_s == 0.0


async def test_retry_after_may_be_no_date_at_all(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(error(429, {}, Retry_After=f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"))
    with pytest.raises(EndpointRateError, match="in a while") as caught:
        await ask(llm)
    assert caught.value.retry_after_s is None


async def test_a_long_message_does_not_hold_things_up(
    server: ScriptedEndpoint, llm: LLMClient
) -> None:
    server.script(error(500, {"error": {"message": "model " * 10_000}}))
    started = time.perf_counter()
    with pytest.raises(EndpointServerError, match="model model"):
        await ask(llm)
    assert time.perf_counter() - started < 2


async def test_a_message_is_never_cut_inside_the_key(
    server: ScriptedEndpoint, llm: LLMClient
) -> None:
    padding = " " * (MAX_READ_CHARACTERS - len(KEY) + 2)
    server.script(error(500, {"error": {"message": f"Wrong:{padding}{KEY}"}}))
    with pytest.raises(EndpointServerError) as caught:
        await ask(llm)
    assert KEY[:4] not in str(caught.value)


async def test_a_missing_key_is_said_to_be_missing(server: ScriptedEndpoint) -> None:
    server.script(error(401, {}))
    llm = LLMClient(Endpoint("whale", server.url, MODEL), None)
    with pytest.raises(EndpointAuthError, match="none is stored"):
        await ask(llm)
    await llm.close()


async def test_a_key_that_no_header_can_carry(server: ScriptedEndpoint) -> None:
    llm = LLMClient(Endpoint("whale", server.url, MODEL), "clé\n")
    with pytest.raises(EndpointAuthError, match="holds characters") as caught:
        await ask(llm)
    assert "clé" not in str(caught.value)
    await llm.close()


async def test_a_redirect_takes_the_key_nowhere(server: ScriptedEndpoint, llm: LLMClient) -> None:
    with scripted_endpoint() as other:
        other.script(stream("Give me your key."))
        server.script([head(308, "text/plain", Location=f"{other.url}/chat/completions")])
        with pytest.raises(EndpointProtocolError):
            await ask(llm)
        assert not other.requests


async def test_closing_the_iterator_hangs_up(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script([*stream("One. ", finish_reason=None, done=False), Step(b"x", delay_s=30)])
    async with aclosing(llm.stream(QUESTION, max_tokens=50)) as deltas:
        assert (await anext(deltas)).text == "One. "
    assert await asyncio.to_thread(server.hung_up.wait, 5)


async def test_cancelling_the_task_hangs_up(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script([Step(b"", delay_s=30)])
    task = asyncio.create_task(ask(llm))
    assert await asyncio.to_thread(server.asked.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.hung_up.wait, 5)


async def test_no_first_token_in_time(
    server: ScriptedEndpoint, llm: LLMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_TOKEN_TIMEOUT_S", 0.3)
    comments = [Step(b": waiting\n\n", delay_s=0.1)] * 50
    server.script(raw_stream(*comments))
    with pytest.raises(EndpointTimeoutError, match=r"begin to answer within 0\.3 seconds"):
        await ask(llm)
    server.script([Step(b"", delay_s=30)])
    with pytest.raises(EndpointTimeoutError, match=r"begin to answer within 0\.3 seconds"):
        await ask(llm)


async def test_silence_between_tokens(
    server: ScriptedEndpoint, llm: LLMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "NEXT_TOKEN_TIMEOUT_S", 0.2)
    begun = raw_stream(event(chunk(role="assistant")), Step(event(chunk("One. ")), delay_s=0.5))
    server.script([*begun, Step(event(chunk("Two.")), delay_s=30)])
    with pytest.raises(EndpointTimeoutError, match="fell silent"):
        await ask(llm)


async def test_a_reply_without_end_is_given_up(
    server: ScriptedEndpoint, llm: LLMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_REPLY_BYTES", 50_000)
    server.script(raw_stream(*[b"data: " + b"x" * 10_000] * 20))
    with pytest.raises(EndpointProtocolError, match="without end"):
        await ask(llm)


async def test_an_endpoint_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_BACKOFF_S", 0.01)
    with scripted_endpoint() as server:
        url = server.url
    llm = LLMClient(Endpoint("whale", url, MODEL), KEY)
    with pytest.raises(EndpointUnreachableError, match="Start the model's server"):
        await ask(llm)
    await llm.close()


async def test_connecting_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_endpoint() as server:
        port = server.port
    llm = LLMClient(Endpoint("whale", f"http://127.0.0.1:{port}", MODEL), KEY)
    monkeypatch.setattr(connection, "CONNECT_BACKOFF_S", 0.2)
    asking = asyncio.create_task(ask(llm))
    await asyncio.sleep(0.1)

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]")
        writer.write(b"".join(step.data for step in stream("Late.")))
        writer.close()

    listener = await asyncio.start_server(late, "127.0.0.1", port)
    async with listener:
        assert (await asking).text == "Late."
    await llm.close()


async def test_the_environments_proxy_does_not_take_loopback(
    server: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.script(stream("Yes."))
    llm = LLMClient(Endpoint("whale", server.url, MODEL), KEY)
    assert (await ask(llm)).text == "Yes."
    await llm.close()


async def test_newer_models_are_asked_in_their_own_way(
    server: ScriptedEndpoint, llm: LLMClient
) -> None:
    refuse_max = error(
        400, {"error": {"message": "use max_completion_tokens", "param": "max_tokens"}}
    )
    refuse_heat = error(400, {"error": {"message": "only the default", "param": "temperature"}})
    server.script(refuse_max, refuse_heat, stream("Yes."))
    assert (await ask(llm)).text == "Yes."
    assert (await ask(llm)).text == "Yes."
    assert len(server.requests) == 4, "what was learnt is remembered"
    assert server.requests[-1].body["max_completion_tokens"] == 50
    assert not {"max_tokens", "temperature"} & set(server.requests[-1].body)


async def test_lists_models(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(models("a", "b"))
    assert await llm.list_models() == ["a", "b"]
    assert server.requests[0].path == "/v1/models"
    for script in (document({"data": 5}), document({"error": "no"}), page(), error(500, {})):
        server.script(script)
        with pytest.raises(EndpointError):
            await llm.list_models()


async def test_the_test_says_what_failed(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(stream("ready"))
    assert "whale-1b at “whale” answered in" in await llm.test()
    server.script(error(404, {"error": {"message": "no such model"}}), models("whale-7b"))
    with pytest.raises(EndpointModelError, match="It has: whale-7b"):
        await llm.test()
    server.script(error(404, {}), error(404, {}))
    with pytest.raises(EndpointModelError, match="usually ends in /v1"):
        await llm.test()


async def test_a_slow_stream_arrives_piece_by_piece(
    server: ScriptedEndpoint, llm: LLMClient
) -> None:
    server.script(stream("One. ", "Two.", delay_s=0.2))
    started = time.monotonic()
    arrivals = [
        time.monotonic() - started
        async for delta in llm.stream(QUESTION, max_tokens=50)
        if delta.text
    ]
    assert arrivals[1] - arrivals[0] > 0.1


async def test_lone_surrogates_do_not_get_through(server: ScriptedEndpoint, llm: LLMClient) -> None:
    server.script(raw_stream(event(json.dumps(chunk("A\ud83d", finish_reason="stop")))))
    assert (await ask(llm)).text == "A\ufffd"
