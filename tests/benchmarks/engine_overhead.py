"""What the engine takes of each decode step beside the model's own work.

    python tests/benchmarks/engine_overhead.py

A tiny random model on one thread of the CPU, answers of 200 tokens, greedy and sampled, 1 and 32 at
once. The engine's share is the time of its thread without what `forward` and `logits` of the model
take: planning, guessing what follows, laying out the batch, sampling, text, delivery. Beside it
stands what transformers' `generate` takes of a step of one answer outside the same two parts, in
the same run. Processor time of the thread, so that other programs do not count; median over steps
for the wall clock.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from engine_models import TINY, write_model
from transformers import AutoModelForCausalLM

from inference import Engine, SamplingParams
from inference.engine_loop import EngineLoop

PROMPT_TOKENS = 64
ANSWER_TOKENS = 200
GREEDY = SamplingParams(temperature=0.0, max_tokens=ANSWER_TOKENS, ignore_eos=True)
SAMPLED = replace(GREEDY, temperature=0.8, seed=1)
TOP_P = replace(SAMPLED, top_p=0.95)
BARS_MS = {1: 1.0, 32: 3.0}


class Clock:
    """Adds up processor and wall time of calls, those within others not counted twice."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.wall_s: list[float] = []

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added up."""

        def run(*arguments: Any, **named: Any) -> Any:
            cpu, wall = time.thread_time(), time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.cpu_s += time.thread_time() - cpu
                self.wall_s.append(time.perf_counter() - wall)

        return run


def main() -> None:
    """Print a line for each case."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "tiny", TINY)
        print(f"{'':34}  engine CPU ms/step   wall ms/step   model CPU ms/step   bar")
        for batch in (1, 32):
            for name, params in (("greedy", GREEDY), ("sampled", SAMPLED), ("top-p", TOP_P)):
                measure(folder, batch, name, params)
        measure_transformers(folder)


def measure(folder: Path, batch: int, name: str, params: SamplingParams) -> None:
    """Measure the engine."""
    step, model = Clock(), Clock()
    original = EngineLoop._step
    with Engine.from_pretrained(folder, device="cpu", share_prefixes=False) as engine:
        runner = engine._loop._runner
        runner._model.forward = model.timed(runner._model.forward)  # type: ignore[method-assign]
        runner._model.logits = model.timed(runner._model.logits)  # type: ignore[method-assign]
        prompts = [
            [1 + (index + at) % 250 for at in range(PROMPT_TOKENS)] for index in range(batch)
        ]
        engine.generate(prompts, params)
        EngineLoop._step = step.timed(original)  # type: ignore[method-assign]
        try:
            model.cpu_s, model.wall_s = 0.0, []
            for _ in range(3):
                engine.generate(prompts, params)
        finally:
            EngineLoop._step = original  # type: ignore[method-assign]
    steps = len(step.wall_s)
    own_ms = 1000 * (step.cpu_s - model.cpu_s) / steps
    pairs = zip(model.wall_s[::2], model.wall_s[1::2], strict=True)
    wall_ms = 1000 * statistics.median(
        whole - sum(parts) for whole, parts in zip(step.wall_s, pairs, strict=True)
    )
    print(
        f"Postil, {batch:2} at once, {name:15}  {own_ms:18.3f} {wall_ms:14.3f}"
        f" {1000 * model.cpu_s / steps:19.3f}   {BARS_MS[batch]:.1f}"
        f"  {'met' if own_ms <= BARS_MS[batch] else 'missed'}"
    )


def measure_transformers(folder: Path) -> None:
    """Measure transformers' `generate`, one answer."""
    peer = AutoModelForCausalLM.from_pretrained(folder)
    whole, model = Clock(), Clock()
    prompt = torch.arange(1, PROMPT_TOKENS + 1).unsqueeze(0)
    options: dict[str, Any] = {
        "max_new_tokens": ANSWER_TOKENS, "min_new_tokens": ANSWER_TOKENS,
        "do_sample": False, "pad_token_id": 0, "attention_mask": torch.ones_like(prompt),
    }  # fmt: skip
    peer.generate(prompt, **options)
    peer.forward = model.timed(peer.forward)
    whole.timed(peer.generate)(prompt, **options)
    own_ms = 1000 * (whole.cpu_s - model.cpu_s) / ANSWER_TOKENS
    wall_ms = 1000 * (sum(whole.wall_s) - sum(model.wall_s)) / ANSWER_TOKENS
    print(
        f"transformers, 1 at once, greedy     {own_ms:18.3f} {wall_ms:14.3f}"
        f" {1000 * model.cpu_s / ANSWER_TOKENS:19.3f}"
    )


if __name__ == "__main__":
    main()
