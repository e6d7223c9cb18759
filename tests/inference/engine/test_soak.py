"""Many requests of every kind in a cache that is far too small: all end, and nothing is lost."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from inference.engine import Engine
from inference.errors import PromptTooLongError, QueueFullError
from inference.requests import SamplingParams
from support.collecting import Collector, submit

CLIENTS = 8


class Client:
    """Submits requests one after another, and cancels or loses interest in some."""

    def __init__(self, engine: Engine, name: str, count: int) -> None:
        self.ends: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._engine = engine
        self._name = name
        self._count = count
        self._draw = random.Random(name)
        self.thread = threading.Thread(target=self._run, name=name)

    def _run(self) -> None:
        try:
            for index in range(self._count):
                self._ask(f"{self._name} {index}")
        except BaseException as failure:  # noqa: BLE001 - the test raises it again
            self.failure = failure

    def _ask(self, request_id: str) -> None:
        draw = self._draw
        collector = Collector()
        length = draw.choice([1, 5, 17, 33, 17, 150, 5000])
        prompt = [draw.randrange(3)] * min(length, 32) + [
            draw.randrange(400) for _ in range(length - 32)
        ]
        params = SamplingParams(
            temperature=draw.choice([0.0, 1.0]),
            max_tokens=draw.randrange(1, 70),
            top_p=draw.choice([1.0, 0.9]),
            stop=draw.choice([(), ("a", "xyz")]),
            top_logprobs=draw.choice([None, None, 2]),
            frequency_penalty=draw.choice([0.0, 0.5]),
        )
        try:
            submit(self._engine, collector, request_id, prompt, params)
        except PromptTooLongError:
            self.ends["too long"] += 1
            return
        except QueueFullError:
            self.ends["queue full"] += 1
            return
        if draw.random() < 0.25:
            collector.wait_for_tokens(request_id, draw.randrange(10))
            self._engine.cancel(request_id)
        last = collector.last(request_id)
        assert last.error is None, last.error
        assert last.usage is not None
        self.ends[str(last.finish_reason)] += 1


def _soak(engine: Engine, count: int) -> Counter[str]:
    clients = [Client(engine, f"client {index}", count // CLIENTS) for index in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    ends: Counter[str] = Counter()
    for client in clients:
        client.thread.join()
        if client.failure is not None:
            raise client.failure
        ends += client.ends
    return ends


def _assert_idle(engine: Engine) -> None:
    stats = engine.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.blocks_free + stats.blocks_cached == stats.blocks_total
    engine._blocks.check_integrity([])


def _tiny_cache(model_folder: Path) -> Engine:
    return Engine.from_pretrained(
        model_folder,
        device="cpu",
        kv_cache_bytes=120_000,
        max_batch=6,
        max_step_tokens=24,
        max_waiting=CLIENTS - 2,
        speculation="always",
    )


def test_every_request_of_a_crowd_ends(model_folder: Path) -> None:
    with _tiny_cache(model_folder) as engine:
        ends = _soak(engine, 160)
        assert sum(ends.values()) == 160
        assert {"length", "stop", "cancelled", "too long"} <= set(ends)
        assert engine.stats().preemptions > 0
        _assert_idle(engine)


@pytest.mark.slow
def test_two_thousand_requests_leave_memory_as_it_was(model_folder: Path) -> None:
    with _tiny_cache(model_folder) as engine:
        _soak(engine, 400)
        gc.collect()
        before = psutil.Process().memory_info().rss
        ends = _soak(engine, 2000)
        assert sum(ends.values()) == 2000
        _assert_idle(engine)
        gc.collect()
        assert psutil.Process().memory_info().rss - before < 20 << 20
