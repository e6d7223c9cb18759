"""How evenly 32 clients are served, and what interrupts them.

    python tests/benchmarks/engine_tails.py [--seconds 30] [--cuda]

Clients ask one question after another, with prompts of 20 to 600 tokens of which half begin alike,
and answers of 20 to 120 tokens. Printed are percentiles of the time to the first token and of the
time between tokens, every pause of Python's garbage collector in steady decode, and what the
process (on CUDA: the device too) allocates there. The peer is the same engine with one client: what
a request takes when nobody else is there. Bar: no collector pause above 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from engine_models import TINY, write_model

from inference import Engine, SamplingParams

CLIENTS = 32
PAUSE_BAR_MS = 5.0


@dataclass
class Times:
    """What clients saw, in seconds."""

    first_token_s: list[float] = field(default_factory=list)
    between_tokens_s: list[float] = field(default_factory=list)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--cuda", action="store_true", help="on the graphics card")
    options = parser.parse_args()
    device = "cuda" if options.cuda else "cpu"
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "model", TINY)
        with Engine.from_pretrained(
            folder, device=device, kv_cache_bytes=1 << 26, max_batch=CLIENTS
        ) as engine:
            asyncio.run(serve(engine, 1, 2.0))
            alone = asyncio.run(serve(engine, 1, options.seconds / 4))
            with collector_pauses() as pauses_ms:
                together = asyncio.run(serve(engine, CLIENTS, options.seconds))
            print(f"{'':28}   p50 ms   p99 ms   worst ms   samples")
            for name, times in (("1 client", alone), (f"{CLIENTS} clients", together)):
                print_percentiles(f"{name}, first token", times.first_token_s)
                print_percentiles(f"{name}, next token", times.between_tokens_s)
            worst = max(pauses_ms, default=0.0)
            print(
                f"collector: {len(pauses_ms)} pauses, worst {worst:.2f} ms"
                f" (bar {PAUSE_BAR_MS:.0f}: {'met' if worst <= PAUSE_BAR_MS else 'missed'})"
            )
            steady_decode(engine)


async def serve(engine: Engine, clients: int, seconds: float) -> Times:
    """Let clients ask until the time is over."""
    times = Times()
    end = time.perf_counter() + seconds
    await asyncio.gather(*(ask(engine, times, random.Random(one), end) for one in range(clients)))
    return times


async def ask(engine: Engine, times: Times, draw: random.Random, end: float) -> None:
    """Put one question after another."""
    opening = list(range(1, 201))
    while time.perf_counter() < end:
        own = [draw.randrange(1, 500) for _ in range(draw.randrange(20, 400))]
        prompt = opening + own if draw.random() < 0.5 else own
        params = SamplingParams(
            temperature=draw.choice([0.0, 0.7]),
            max_tokens=draw.randrange(20, 121),
            ignore_eos=True,
        )
        last = time.perf_counter()
        first = True
        async for piece in engine.stream(prompt, params):
            now = time.perf_counter()
            if first:
                times.first_token_s.append(now - last)
            else:
                times.between_tokens_s.append((now - last) / max(1, len(piece.token_ids)))
            last, first = now, False


@contextmanager
def collector_pauses() -> Iterator[list[float]]:
    """Gather how long each garbage collection takes, in milliseconds."""
    pauses_ms: list[float] = []
    began = 0.0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses_ms.append(1000 * (time.perf_counter() - began))

    gc.callbacks.append(note)
    try:
        yield pauses_ms
    finally:
        gc.callbacks.remove(note)


def steady_decode(engine: Engine) -> None:
    """Print what is allocated and kept while 32 answers go on and nothing else happens."""
    params = SamplingParams(temperature=0.0, max_tokens=400, ignore_eos=True, speculate=False)
    prompts = [[one + 1] * 20 for one in range(CLIENTS)]
    engine.generate(prompts, params)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    device_before = device_allocations()
    engine.generate(prompts, params)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(f"steady decode: Python memory kept after 400 steps: {kept / 1024:.0f} KiB")
    if device_before is not None:
        print(f"steady decode: device segments allocated: {device_allocations() - device_before}")


def device_allocations() -> int | None:
    """How often memory was taken from the graphics card so far; None where there is none."""
    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.memory_stats().get("segment.all.allocated", 0))


def print_percentiles(name: str, seconds: Sequence[float]) -> None:
    """Print the median, the 99th percentile and the worst."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    print(
        f"{name:28} {1000 * cuts[49]:8.2f} {1000 * cuts[98]:8.2f} {1000 * max(seconds):10.2f}"
        f" {len(seconds):9}"
    )


if __name__ == "__main__":
    main()
