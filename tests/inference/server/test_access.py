"""Who may use the server: keys, host names, origins, and what a body may be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from inference.server.middleware import host_name
from inference.server.settings import ServerSettings, is_loopback
from support.engine_server import RunningServer, engine_server

KEYS = ("sk-first-key-0123456789", "sk-second-key-abcdefghi")
ORIGIN = "https://notes.example"
BODY_LIMIT = 20_000
GUARDED = ["/v1/models", "/metrics", "/v1/models/tiny-chat", "/nowhere"]
OPEN = ["/", "/page.js", "/page.css", "/page.svg", "/health", "/openapi.json"]


@pytest.fixture(scope="module")
def guarded(chat_model: Path) -> Iterator[RunningServer]:
    """A server with keys, a web origin and a low limit."""
    settings = ServerSettings(
        api_keys=KEYS,
        allowed_origins=(ORIGIN,),
        max_body_bytes=BODY_LIMIT,
        body_timeout_s=0.5,
        allowed_hosts=("127.0.0.1", "reader.local"),
    )
    with engine_server(chat_model, settings) as running:
        yield running


class TestKeys:
    @pytest.mark.parametrize("key", KEYS)
    def test_each_key_opens(self, guarded: RunningServer, key: str) -> None:
        assert guarded.client(api_key=key).models.list().data[0].id == "tiny-chat"

    @pytest.mark.parametrize("key", ["sk-first-key-012345678", "none", "ключ", KEYS[0] + "x"])
    def test_another_key_does_not(self, guarded: RunningServer, key: str) -> None:
        reply = httpx.get(
            f"{guarded.url}/v1/models", headers={"Authorization": f"Bearer {key}".encode()}
        )
        assert reply.status_code == 401
        assert reply.json()["error"]["code"] == "invalid_api_key"
        assert reply.headers["www-authenticate"] == "Bearer"

    def test_the_client_sees_an_authentication_error(self, guarded: RunningServer) -> None:
        with pytest.raises(openai.AuthenticationError) as raised:
            guarded.client(api_key="wrong").models.list()
        assert raised.value.code == "invalid_api_key"

    @pytest.mark.parametrize("header", [{}, {"Authorization": f"Basic {KEYS[0]}"}])
    @pytest.mark.parametrize("path", GUARDED)
    def test_no_key(self, guarded: RunningServer, path: str, header: dict[str, str]) -> None:
        assert httpx.get(guarded.url + path, headers=header).status_code == 401

    @pytest.mark.parametrize("path", OPEN)
    def test_open_paths(self, guarded: RunningServer, path: str) -> None:
        assert httpx.get(guarded.url + path).status_code == 200

    def test_health_shows_details_to_those_with_a_key(self, guarded: RunningServer) -> None:
        assert set(httpx.get(f"{guarded.url}/health").json()) == {"status", "model"}
        assert guarded.http.get("/health").json()["details"]["max_model_len"] == 1024


class TestHostNames:
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", ""])
    @pytest.mark.parametrize("path", ["/health", "/", "/v1/models"])
    def test_another_name_is_refused(self, server: RunningServer, host: str, path: str) -> None:
        reply = server.http.get(path, headers={"Host": host})
        assert reply.status_code == 403
        assert reply.json()["error"]["code"] == "host_not_allowed"

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:80"])
    def test_loopbacks_own_names(self, server: RunningServer, host: str) -> None:
        assert server.http.get("/health", headers={"Host": host}).status_code == 200

    def test_a_name_that_was_allowed(self, guarded: RunningServer) -> None:
        assert guarded.http.get("/health", headers={"Host": "reader.local"}).status_code == 200
        assert guarded.http.get("/health", headers={"Host": "localhost"}).status_code == 403

    @pytest.mark.parametrize(
        ("header", "name"),
        [("a:80", "a"), ("A", "a"), ("[::1]:80", "::1"), ("::1", "::1"), ("", ""), ("[::1", "::1")],
    )
    def test_the_name_in_a_header(self, header: str, name: str) -> None:
        assert host_name(header) == name

    def test_loopback_addresses(self) -> None:
        assert all(map(is_loopback, ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"]))
        assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.2", "example.org", ""]))


class TestOrigins:
    def test_no_origin_unless_allowed(self, server: RunningServer) -> None:
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        asked = server.http.options("/v1/completions", headers=headers)
        assert asked.status_code == 405
        got = server.http.get("/v1/models", headers={"Origin": ORIGIN})
        assert "access-control-allow-origin" not in got.headers

    def test_an_allowed_origin(self, guarded: RunningServer) -> None:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type",
        }
        asked = httpx.options(f"{guarded.url}/v1/completions", headers=headers)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == ORIGIN

    def test_another_origin(self, guarded: RunningServer) -> None:
        got = guarded.http.get("/v1/models", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in got.headers

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_what_a_page_may_send_unasked_is_refused(
        self, server: RunningServer, media_type: str
    ) -> None:
        reply = server.http.post(
            "/v1/completions",
            content='{"prompt": "x", "max_tokens": 1}',
            headers={"Content-Type": media_type} if media_type else {},
        )
        assert reply.status_code == 415


class TestBodies:
    @pytest.mark.parametrize("size", [BODY_LIMIT + 1, 3_000_000])
    def test_too_long(self, guarded: RunningServer, size: int) -> None:
        with pytest.raises(openai.APIStatusError) as raised:
            guarded.client().completions.create(model="tiny-chat", prompt="x" * size)
        assert raised.value.status_code == 413
        assert raised.value.code == "request_too_large"

    def test_too_long_in_chunks(self, guarded: RunningServer) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        reply = guarded.http.post(
            "/v1/completions", content=chunks(), headers={"Content-Type": "application/json"}
        )
        assert reply.status_code == 413

    def test_too_slow(self, guarded: RunningServer) -> None:
        host, port = guarded.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            head = (
                f"POST /tokenize HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEYS[0]}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 408")

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"prompt": NaN}', b"[" * 5000]
    )
    def test_no_json_or_no_object(self, server: RunningServer, body: bytes) -> None:
        reply = server.http.post(
            "/v1/completions", content=body, headers={"Content-Type": "application/json"}
        )
        assert reply.status_code == 400
        assert reply.json()["error"]["type"] == "invalid_request_error"

    @pytest.mark.parametrize(
        ("body", "parameter"),
        [
            ({}, "prompt"),
            ({"prompt": 3}, "prompt"),
            ({"prompt": "x", "temperature": "hot"}, "temperature"),
            ({"prompt": "x", "temperature": -1}, "temperature"),
            ({"prompt": "x", "n": 0}, "n"),
            ({"prompt": "x", "n": True}, "n"),
            ({"prompt": "x", "stop": [""]}, "stop[0]"),
            ({"prompt": "x", "stop": ["x"] * 10_000}, "stop"),
            ({"prompt": "x", "logit_bias": {"one": 1}}, "logit_bias.one"),
            ({"prompt": "x", "logit_bias": {"99999": 1}}, "logit_bias"),
            ({"prompt": [10**6]}, "prompt"),
            ({"prompt": "x", "echo": True}, "echo"),
            ({"prompt": "x", "suffix": "end"}, "suffix"),
            ({"prompt": "x", "best_of": 2}, "best_of"),
            ({"prompt": "x", "stream_options": {"include_usage": True}}, "stream_options"),
            ({"prompt": "x", "response_format": {"type": "json_schema"}}, "response_format"),
        ],
    )  # fmt: skip
    def test_a_wrong_field_is_named(
        self, server: RunningServer, body: dict[str, object], parameter: str
    ) -> None:
        reply = server.http.post("/v1/completions", json=body)
        assert reply.status_code == 400
        assert reply.json()["error"]["param"] == parameter

    def test_unknown_fields_are_ignored(self, server: RunningServer) -> None:
        body = {"prompt": "x", "max_tokens": 1, "best_before": 3, "store": False}
        assert server.http.post("/v1/completions", json=body).status_code == 200

    def test_an_encoded_body(self, server: RunningServer) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        reply = server.http.post("/v1/completions", content=b"x", headers=headers)
        assert reply.status_code == 415


class TestPaths:
    def test_unknown_path(self, server: RunningServer) -> None:
        reply = server.http.get("/v2/models")
        assert reply.status_code == 404
        assert reply.json()["error"]["type"] == "invalid_request_error"

    def test_unknown_method(self, server: RunningServer) -> None:
        reply = server.http.get("/v1/completions")
        assert reply.status_code == 405
        assert reply.headers["allow"] == "POST"
        assert "error" in reply.json()

    def test_unknown_model(self, server: RunningServer) -> None:
        with pytest.raises(openai.NotFoundError) as raised:
            server.client().completions.create(model="gpt-4", prompt="x")
        assert raised.value.code == "model_not_found"
        assert "tiny-chat" in raised.value.message
        with pytest.raises(openai.NotFoundError):
            server.client().models.retrieve("gpt-4")

    def test_embeddings_need_an_embedder(self, server: RunningServer) -> None:
        with pytest.raises(openai.NotFoundError) as raised:
            server.client().embeddings.create(model="tiny-chat", input="x")
        assert raised.value.code == "not_an_embedder"

    def test_several_names(self, chat_model: Path) -> None:
        settings = ServerSettings(model_names=("reader/one", "two"))
        with engine_server(chat_model, settings) as running:
            client = running.client()
            assert [card.id for card in client.models.list()] == ["reader/one", "two"]
            assert client.models.retrieve("reader/one").id == "reader/one"
            said = client.completions.create(model="two", prompt="x", max_tokens=1)
            assert said.model == "two"


async def test_the_loop_answers_while_a_long_prompt_is_read(server: RunningServer) -> None:
    """Tokenising happens on a thread: `/health` is answered meanwhile."""
    text = "The keeper lit the lamp. " * 100_000
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        long = asyncio.create_task(client.post("/tokenize", json={"prompt": text}))
        answered = 0
        while not long.done():
            assert (await client.get("/health")).status_code == 200
            answered += 1
        assert (await long).json()["count"] > 100_000
        assert answered > 1
