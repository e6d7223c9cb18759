"""Many clients at once, good ones and bad ones: every request ends, and everything comes back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import psutil
import pytest
from openai import APIError, APIStatusError, AsyncOpenAI

from support.engine_server import RunningServer, free_blocks

CLIENTS = 32
SETTLING_REQUESTS = 400
"""Before that many, memory still grows: the cache's pages are touched for the first time."""
GROWTH_BYTES = 24 << 20
"""What the process may grow by from the second quarter to the last; its arenas never lie still."""


@pytest.mark.parametrize(
    "count", [pytest.param(160, id="short"), pytest.param(2000, id="long", marks=pytest.mark.slow)]
)
async def test_a_soak(server: RunningServer, count: int) -> None:
    quarters = [await soak(server, count // 4, seed) for seed in range(4)]
    ends = sum((found for found, _ in quarters), Counter[str]())
    assert ends.total() == count
    assert set(ends) >= {"length", "left", "400", "context_length_exceeded"}
    assert not {"500", "failed", "accepted"} & set(ends), ends
    server.wait_idle()
    stats = server.engine.stats()
    assert free_blocks(server.engine) == stats.blocks_total
    assert server.http.get("/health").status_code == 200
    if count > SETTLING_REQUESTS:
        _, *memory = [memory for _, memory in quarters]
        assert memory[-1] - memory[0] < GROWTH_BYTES, memory


async def soak(server: RunningServer, count: int, seed: int) -> tuple[Counter[str], int]:
    """Let the clients make requests until there were that many.

    Returns:
        How the requests ended, and the process's memory in bytes when all had.
    """
    ends: Counter[str] = Counter()
    todo = iter(range(count))

    async def requests_of(number: int, client: AsyncOpenAI) -> None:
        chance = random.Random(f"{seed}/{number}")
        for _ in todo:
            kind = chance.choices(KINDS, WEIGHTS)[0]
            ends[await kind(client, server, chance)] += 1

    async with asyncio.timeout(900), server.async_client() as client:
        await asyncio.gather(*(requests_of(number, client) for number in range(CLIENTS)))
    return ends, psutil.Process().memory_info().rss


def chat_request(server: RunningServer, chance: random.Random) -> dict[str, Any]:
    text = "The keeper lit the lamp. " * chance.randint(1, 20)
    return {
        "model": server.model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": chance.randint(1, 40),
        "n": chance.choice([1, 1, 1, 2]),
        "seed": chance.randint(0, 99),
        "extra_body": {"ignore_eos": True, "chat_template_kwargs": {"enable_thinking": False}},
    }


async def whole(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    try:
        reply = await client.chat.completions.create(**chat_request(server, chance))
    except APIStatusError as error:
        return str(error.status_code)
    return str(reply.choices[0].finish_reason)


async def streamed(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    try:
        stream = await client.chat.completions.create(
            **chat_request(server, chance), stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    except APIStatusError as error:
        return str(error.status_code)
    except APIError:
        return "failed"
    assert chunks[-1].usage is not None
    return str(chunks[-2].choices[0].finish_reason)


async def left_midway(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    request = chat_request(server, chance) | {"max_tokens": 500}
    stream = await client.chat.completions.create(**request, stream=True)
    after = chance.randint(0, 10)
    async for _ in stream:
        after -= 1
        if after < 0:
            break
    await stream.close()
    return "left"


async def left_waiting(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    request = chat_request(server, chance) | {"max_tokens": 500}
    asking = asyncio.create_task(client.chat.completions.create(**request))
    await asyncio.sleep(chance.uniform(0, 0.1))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return "left"


async def too_long(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    try:
        await client.completions.create(
            model=server.model, prompt="lamp " * chance.randint(2000, 20_000)
        )
    except APIStatusError as error:
        return str(error.code)
    return "accepted"


async def bad_json(client: AsyncOpenAI, server: RunningServer, chance: random.Random) -> str:
    bodies = [b"{", b'{"messages": 3}', b"[]", b"\xff", b'{"prompt": "x", "n": -1}']
    try:
        await client.post(
            chance.choice(["/chat/completions", "/completions"]),
            content=chance.choice(bodies),
            cast_to=object,
            options={"headers": {"Content-Type": "application/json"}},
        )
    except APIStatusError as error:
        return str(error.status_code)
    return "accepted"


KINDS = [whole, streamed, left_midway, left_waiting, too_long, bad_json]
WEIGHTS = [30, 30, 15, 10, 5, 10]
