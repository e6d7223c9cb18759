"""A client that leaves: its request is dropped, its blocks come back, and nobody else notices."""

from __future__ import annotations

import json
import socket

import pytest

from support.engine_server import RunningServer, free_blocks

LONG = {"prompt": "The keeper", "max_tokens": 1000, "ignore_eos": True}


def connect(server: RunningServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def post(connection: socket.socket, path: str, body: object) -> None:
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)


def running(server: RunningServer) -> int:
    return server.engine.stats().running


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("answers", [1, 4])
def test_leaving_midway(server: RunningServer, stream: bool, answers: int) -> None:
    before = free_blocks(server.engine)
    with connect(server) as connection:
        post(connection, "/v1/completions", {**LONG, "stream": stream, "n": answers})
        server.wait_until(lambda: running(server) == answers)
    server.wait_idle()
    assert free_blocks(server.engine) == before
    assert server.engine.stats().generated_tokens < 1_000_000


def test_leaving_while_waiting_in_the_queue(server: RunningServer) -> None:
    """The queue is behind a full batch; a client in it leaves."""
    stream = server.client().completions.create(
        model=server.model, prompt="x", max_tokens=900, n=32, stream=True,
        extra_body={"ignore_eos": True},
    )  # fmt: skip
    next(iter(stream))
    with connect(server) as connection:
        post(connection, "/v1/completions", LONG)
        server.wait_until(lambda: server.engine.stats().waiting == 1)
    server.wait_until(lambda: server.engine.stats().waiting == 0)
    assert running(server) == 32
    stream.close()
    server.wait_idle()


def test_leaving_before_the_body_is_whole(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
    assert server.http.get("/health").status_code == 200


def test_others_do_not_notice(server: RunningServer) -> None:
    """Greedy text is the same, whoever leaves meanwhile."""

    def said() -> str:
        completion = server.client().completions.create(
            model=server.model, prompt="Call me", max_tokens=100, temperature=0,
            extra_body={"ignore_eos": True},
        )  # fmt: skip
        return completion.choices[0].text

    alone = said()
    leaving = [connect(server) for _ in range(4)]
    for connection in leaving:
        post(connection, "/v1/completions", {**LONG, "stream": True})
    server.wait_until(lambda: running(server) == len(leaving))
    for connection in leaving[:2]:
        connection.close()
    assert said() == alone
    for connection in leaving[2:]:
        connection.close()
    server.wait_idle()
