"""What HTTP costs: 32 streams through the server, and the same 32 requests given to the engine.

    .venv/bin/python tests/benchmarks/engine_server.py [--streams 32] [--tokens 200] [--rounds 3]

The model is tiny, so that what is measured is everything but the model. Each side has a process of
its own; the client is a third one, on plain sockets. Rounds alternate. Printed are the medians:
tokens a second, processor time per token of the serving process, and as the clients see it the time
to the first token and between two pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

PROMPT = "The keeper lit the lamp each evening, and his parrot named the ships."


@dataclass(frozen=True)
class Round:
    """What one side did once."""

    tokens: int
    wall_s: float
    cpu_s: float
    first_s: tuple[float, ...] = ()
    gaps_s: tuple[float, ...] = ()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--streams", type=int, default=32)
    options.add_argument("--tokens", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--part", choices=["http", "direct"], help="(for itself)")
    options.add_argument("--folder", type=Path, help="(for itself)")
    chosen = options.parse_args()
    if chosen.part == "http":
        serve(chosen.folder)
        return
    if chosen.part == "direct":
        answer_directly(chosen.folder, chosen.streams, chosen.tokens)
        return
    from support.chat_model import write_chat_model

    with tempfile.TemporaryDirectory() as parent:
        folder = write_chat_model(Path(parent) / "tiny")
        measure(folder, chosen.streams, chosen.tokens, chosen.rounds)


def measure(folder: Path, streams: int, tokens: int, rounds: int) -> None:
    """Run both sides in turn and print what they took."""
    http: list[Round] = []
    direct: list[Round] = []
    with (
        part("http", folder, streams, tokens) as server,
        part("direct", folder, streams, tokens) as engine,
    ):
        url = server.readline()
        for index in range(rounds + 1):
            done = asyncio.run(ask_all(url, server.process, streams, tokens))
            spent = engine.ask()
            if index:  # the first warms up
                http.append(done)
                direct.append(Round(**spent))
    print(f"{streams} streams of {tokens} tokens, medians of {rounds} rounds")
    for name, found in (("engine alone", direct), ("through HTTP", http)):
        rate = statistics.median(one.tokens / one.wall_s for one in found)
        cpu_us = statistics.median(1e6 * one.cpu_s / one.tokens for one in found)
        print(f"  {name}: {rate:8.0f} tokens/s  {cpu_us:7.1f} us of processor per token")
    each = zip(http, direct, strict=True)
    ratio = statistics.median(
        (one.tokens / one.wall_s) / (other.tokens / other.wall_s) for one, other in each
    )
    more = statistics.median(1e6 * one.cpu_s / one.tokens for one in http) - statistics.median(
        1e6 * one.cpu_s / one.tokens for one in direct
    )
    print(f"  HTTP / engine alone: {ratio:.2f} of the speed, {more:.1f} us more per token")
    for name, values in (
        ("first token", [value for one in http for value in one.first_s]),
        ("between pieces", [value for one in http for value in one.gaps_s]),
    ):
        cut = statistics.quantiles(values, n=100)
        print(f"  {name}: p50 {1000 * cut[49]:.1f} ms, p99 {1000 * cut[98]:.1f} ms")


class Part:
    """A side in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.process = psutil.Process(process.pid)

    def readline(self) -> str:
        """Return what it says next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def ask(self) -> dict[str, float]:
        """Let it work, and return what it took."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        spent: dict[str, float] = json.loads(self.readline())
        return spent


@contextmanager
def part(name: str, folder: Path, streams: int, tokens: int) -> Iterator[Part]:
    """Start a side, and end it with the block."""
    command = [sys.executable, __file__, "--part", name, "--folder", str(folder)]
    command += ["--streams", str(streams), "--tokens", str(tokens)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Part(process)
        finally:
            process.kill()


def serve(folder: Path) -> None:
    """The side that speaks HTTP."""
    from support.engine_server import engine_server

    with engine_server(folder) as server:
        print(server.url, flush=True)
        sys.stdin.read()


def answer_directly(folder: Path, streams: int, tokens: int) -> None:
    """The side without HTTP: a line on standard input starts a round."""
    from inference.engine import Engine
    from inference.outputs import OutputPiece
    from inference.requests import GenerationRequest, SamplingParams

    process = psutil.Process()
    params = SamplingParams(max_tokens=tokens, ignore_eos=True)
    with Engine.from_pretrained(folder, device="cpu", kv_cache_bytes=16 << 20) as engine:
        for count, _ in enumerate(sys.stdin):
            ended = threading.Semaphore(0)

            def deliver(piece: OutputPiece, ended: threading.Semaphore = ended) -> None:
                if piece.finish_reason is not None:
                    ended.release()

            began, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
            for stream in range(streams):
                prompt = tuple(engine.tokenizer.encode(PROMPT))
                engine.submit(GenerationRequest(f"{count}-{stream}", prompt, params), deliver)
            for _ in range(streams):
                ended.acquire()
            spent = {
                "tokens": streams * tokens,
                "wall_s": time.perf_counter() - began,
                "cpu_s": sum(process.cpu_times()[:2]) - cpu,
            }
            print(json.dumps(spent), flush=True)


async def ask_all(url: str, server: psutil.Process, streams: int, tokens: int) -> Round:
    """Open all streams at once, and return what the server and the clients saw."""
    cpu, began = sum(server.cpu_times()[:2]), time.perf_counter()
    arrivals = await asyncio.gather(*(ask(url, tokens) for _ in range(streams)))
    wall_s = time.perf_counter() - began
    return Round(
        tokens=streams * tokens,
        wall_s=wall_s,
        cpu_s=sum(server.cpu_times()[:2]) - cpu,
        first_s=tuple(times[0] - began for times in arrivals),
        gaps_s=tuple(
            later - earlier for times in arrivals for earlier, later in itertools.pairwise(times)
        ),
    )


async def ask(url: str, tokens: int) -> list[float]:
    """Read one stream, and return when its pieces came."""
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps(
        {"prompt": PROMPT, "max_tokens": tokens, "ignore_eos": True, "stream": True}
    ).encode()
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    times: list[float] = []
    data = b""
    while b"data: [DONE]" not in data:
        data = await reader.read(1 << 16)
        if b"data: {" in data:
            times.append(time.perf_counter())
    writer.close()
    await writer.wait_closed()
    return times


if __name__ == "__main__":
    main()
