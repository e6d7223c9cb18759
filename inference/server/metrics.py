"""What `/metrics` shows, in the text format of Prometheus.

Each server has a registry of its own. Times are observed as answers end; everything else is read
from the engine and the operating system when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.outputs import OutputPiece
from inference.server.memory import device_memory_bytes

if TYPE_CHECKING:
    from inference.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FIRST_TOKEN_BUCKETS_S = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 25, 50, 100, 300)
_PER_TOKEN_BUCKETS_S = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1, 2)
_TOTAL_BUCKETS_S = (0.1, 0.3, 1, 3, 6, 12, 25, 50, 100, 300, 1000)


class Metrics:
    """The figures of one server."""

    def __init__(self, engine: Callable[[], Engine | None]) -> None:
        """Make them.

        Args:
            engine: returns the engine, or None while there is none.
        """
        self._registry = CollectorRegistry()
        self._replies = Counter(
            "postil_http_replies", "HTTP replies", ["path", "status"], registry=self._registry
        )
        self._ends = Counter(
            "postil_answers", "Answers that ended", ["finish_reason"], registry=self._registry
        )
        self._queued = self._histogram("queue_seconds", "From submission to the first forward pass")
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "From submission to the first token"
        )
        self._per_token = self._histogram(
            "time_per_output_token_seconds",
            "Between two tokens of an answer, on its average",
            _PER_TOKEN_BUCKETS_S,
        )
        self._total = self._histogram(
            "answer_seconds", "From submission to the end", _TOTAL_BUCKETS_S
        )
        self._registry.register(_EngineCollector(engine))
        self._registry.register(_ProcessCollector())

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...] = _FIRST_TOKEN_BUCKETS_S
    ) -> Histogram:
        return Histogram(f"postil_{name}", text, buckets=buckets, registry=self._registry)

    def count_reply(self, path: str, status: int) -> None:
        """Count a reply; `path` is the route's, not the client's."""
        self._replies.labels(path, str(status)).inc()

    def observe_end(self, piece: OutputPiece) -> None:
        """Note an answer's last piece."""
        self._ends.labels(piece.finish_reason or "").inc()
        usage = piece.usage
        if usage is None or usage.completion_tokens == 0:
            return
        self._queued.observe(usage.queued_s)
        self._first_token.observe(usage.first_token_s)
        self._total.observe(usage.total_s)
        if usage.completion_tokens > 1:
            after_first_s = usage.total_s - usage.first_token_s
            self._per_token.observe(after_first_s / (usage.completion_tokens - 1))

    def page(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """Reads the engine's own figures."""

    def __init__(self, engine: Callable[[], Engine | None]) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Return nothing: there may be no engine yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of this moment."""
        engine = self._engine()
        if engine is None:
            return
        stats = engine.stats()
        for name, text, value in (
            ("requests_running", "Requests in the batch", stats.running),
            ("requests_waiting", "Requests in the queue", stats.waiting),
            ("queue_limit", "Requests that the queue takes", stats.queue_limit),
        ):
            yield GaugeMetricFamily(f"postil_{name}", text, value)
        blocks = GaugeMetricFamily("postil_kv_blocks", "KV cache blocks", labels=["state"])
        blocks.add_metric(["total"], stats.blocks_total)
        blocks.add_metric(["free"], stats.blocks_free)
        blocks.add_metric(["cached"], stats.blocks_cached)
        yield blocks
        for name, text, value in (
            ("prompt_tokens", "Tokens of prompts", stats.prompt_tokens),
            ("cached_prompt_tokens", "Those of them found in the cache", stats.cached_tokens),
            ("generated_tokens", "Tokens generated", stats.generated_tokens),
            ("drafted_tokens", "Tokens drafted by speculation", stats.drafted_tokens),
            ("accepted_tokens", "Drafted tokens that the model agreed with", stats.accepted_tokens),
            ("engine_steps", "Forward passes", stats.steps),
        ):
            yield CounterMetricFamily(f"postil_{name}", text, value)


class _ProcessCollector(Collector):
    """Reads what the process takes of the machine."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def describe(self) -> list[Metric]:
        """Return nothing: what is there depends on the machine."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of this moment."""
        with self._process.oneshot():
            times = self._process.cpu_times()
            memory_bytes = self._process.memory_info().rss
        yield CounterMetricFamily(
            "process_cpu_seconds", "Processor time, user and system", times.user + times.system
        )
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory in use", memory_bytes)
        device_bytes = device_memory_bytes()
        if device_bytes is not None:
            yield GaugeMetricFamily(
                "postil_device_memory_bytes", "Accelerator memory in use", device_bytes
            )
