"""Time to the first token of a second question about the same passages.

    python tests/benchmarks/engine_prefix_cache.py

Four layers of about Qwen3-0.6B's width with random weights on the CPU. Three readers each put two
questions of 60 tokens to their own 3,000-token prefix; then the same without sharing, interleaved.
Bar: the second question's first token comes in at most 0.15 of the first one's time.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from pathlib import Path

from engine_models import SLICE, write_model

from inference import Engine, SamplingParams

PREFIX_TOKENS = 3000
QUESTION_TOKENS = 60
READERS = 3
PARAMS = SamplingParams(temperature=0.0, max_tokens=2, ignore_eos=True)


def main() -> None:
    """Print the times and their ratio."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "model", SLICE)
        with (
            Engine.from_pretrained(folder, kv_cache_bytes=1 << 30) as shared,
            Engine.from_pretrained(folder, kv_cache_bytes=1 << 30, share_prefixes=False) as plain,
        ):
            ratios, plain_ratios = [], []
            for _ in range(READERS):
                prefix = [draw.randrange(1, 250) for _ in range(PREFIX_TOKENS)]
                ratios.append(ratio("shared", shared, prefix, draw))
                plain_ratios.append(ratio("not shared", plain, prefix, draw))
    result = statistics.median(ratios)
    print(f"second / first, shared:     {result:.3f}  (bar 0.15: {_verdict(result)})")
    print(f"second / first, not shared: {statistics.median(plain_ratios):.3f}")


def ratio(name: str, engine: Engine, prefix: list[int], draw: random.Random) -> float:
    """Ask two questions and return the second's time to its first token over the first's."""
    times = []
    for _ in range(2):
        question = [draw.randrange(1, 250) for _ in range(QUESTION_TOKENS)]
        (answer,) = engine.generate([[*prefix, *question]], PARAMS)
        times.append(answer.usage.first_token_s)
    cached = answer.usage.cached_tokens
    print(f"{name:11} first {times[0]:6.2f} s, second {times[1]:6.2f} s, {cached} tokens cached")
    return times[1] / times[0]


def _verdict(result: float) -> str:
    return "met" if result <= 0.15 else "missed"


if __name__ == "__main__":
    main()
