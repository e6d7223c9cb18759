"""What the server takes at most: waiting requests, prompts, answers."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from support.engine_server import RunningServer, engine_server, free_blocks


def test_a_full_queue(chat_model: Path) -> None:
    with engine_server(chat_model, max_batch=2, max_waiting=3) as server:
        client = server.client()
        busy = [
            client.completions.create(
                model=server.model, prompt="x", max_tokens=900, stream=True, n=n,
                extra_body={"ignore_eos": True},
            )
            for n in (2, 3)
        ]  # fmt: skip
        server.wait_until(lambda: server.engine.stats().waiting == 3)
        with pytest.raises(openai.RateLimitError) as raised:
            client.completions.create(model=server.model, prompt="x", max_tokens=1)
        assert raised.value.code == "rate_limit_exceeded"
        assert int(raised.value.response.headers["retry-after"]) >= 1
        for stream in busy:
            stream.close()
        server.wait_idle()
        assert client.completions.create(model=server.model, prompt="x", max_tokens=1).choices


def test_more_answers_than_the_queue_takes(chat_model: Path) -> None:
    """None of the answers goes on where not all were let in."""
    with engine_server(chat_model, max_batch=1, max_waiting=2) as server:
        before = free_blocks(server.engine)
        with pytest.raises(openai.RateLimitError):
            server.client().completions.create(
                model=server.model, prompt="x", max_tokens=900, n=50,
                extra_body={"ignore_eos": True},
            )  # fmt: skip
        server.wait_idle()
        assert free_blocks(server.engine) == before


@pytest.mark.parametrize(
    ("prompt_tokens", "max_tokens"), [(1024, 1), (5000, 1), (10, 1020), (10, 2**31 - 1)]
)
def test_what_does_not_fit_the_context(
    server: RunningServer, prompt_tokens: int, max_tokens: int
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        server.client().completions.create(
            model=server.model, prompt=[100] * prompt_tokens, max_tokens=max_tokens
        )
    assert raised.value.code == "context_length_exceeded"
    assert str(prompt_tokens) in raised.value.message
    assert "1024" in raised.value.message


def test_what_just_fits(server: RunningServer) -> None:
    said = server.client().completions.create(
        model=server.model, prompt=[100] * 1020, max_tokens=4, extra_body={"ignore_eos": True}
    )
    assert said.usage is not None
    assert said.usage.total_tokens == 1024
    assert said.choices[0].finish_reason == "length"


def test_a_cache_smaller_than_the_context(chat_model: Path) -> None:
    """What can never fit the cache is refused; what fits one by one is answered, however many."""
    with engine_server(chat_model, kv_cache_bytes=1 << 18) as server:
        cache_tokens = server.engine.stats().blocks_total * 16
        assert cache_tokens < 1024
        client = server.client()
        with pytest.raises(openai.BadRequestError) as raised:
            client.completions.create(
                model=server.model, prompt=[100] * (cache_tokens + 1), max_tokens=1
            )
        assert raised.value.code == "context_length_exceeded"
        said = client.completions.create(
            model=server.model, prompt=[100] * 20, max_tokens=cache_tokens - 40, n=4,
            extra_body={"ignore_eos": True},
        )  # fmt: skip
        assert [choice.finish_reason for choice in said.choices] == ["length"] * 4
        server.wait_idle()
