"""How many answers stay the same whatever else is computed beside them, in bfloat16.

    python tests/benchmarks/engine_invariance.py [--requests 1000] [--device cpu] [--folder MODEL]

Each request is answered greedily by itself, whole and with nothing cached; then all again, 32 at
once, joining and leaving, in chunks, with shared prefixes and drafts always on. Products of
another shape round differently, so where two tokens are nearly as likely another may win: printed
are the share of answers that are equal, and for each that is not the gap between the logits of the
two tokens where they part. Bar: at least 99% equal, each divergence at a near tie.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from engine_models import TINY, write_model

from inference import Completion, Engine, SamplingParams

TOKENS = 32
NEAR_TIE = 0.25  # two steps of bfloat16 at logits of 16 to 32


def main() -> None:
    """Print the share and the gaps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu")
    parser.add_argument("--folder", type=Path, help="a model; None: a tiny random one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or write_model(Path(scratch) / "model", TINY, dtype=torch.bfloat16)
        compare(folder, options.device, options.requests)


def compare(folder: Path, device: str, count: int) -> None:
    """Answer alone and together."""
    draw = random.Random(0)
    opening = [draw.randrange(1, 250) for _ in range(100)]
    prompts = []
    for index in range(count):
        own = [draw.randrange(1, 250) for _ in range(draw.randrange(1, 150))]
        prompts.append(opening + own if index % 3 else own)
    params = SamplingParams(temperature=0.0, max_tokens=TOKENS, ignore_eos=True, top_logprobs=2)
    options = {"device": device, "dtype": "bfloat16"}
    with Engine.from_pretrained(
        folder, share_prefixes=False, speculation="never", max_step_tokens=512, **options
    ) as engine:
        alone = [engine.generate([prompt], params)[0] for prompt in prompts]
    with Engine.from_pretrained(
        folder, kv_cache_bytes=2 << 20, max_step_tokens=96, speculation="always", **options
    ) as engine:
        together = engine.generate(prompts, params)
        stats = engine.stats()
    report(alone, together)
    print(
        f"preemptions {stats.preemptions}, tokens from the cache {stats.cached_tokens}, "
        f"drafted {stats.drafted_tokens}, accepted {stats.accepted_tokens}"
    )


def report(alone: Sequence[Completion], together: Sequence[Completion]) -> None:
    """Print what is equal, and where the rest part."""
    gaps = []
    for one, other in zip(alone, together, strict=True):
        for index, (token, another) in enumerate(zip(one.token_ids, other.token_ids, strict=True)):
            if token != another:
                ranked = {entry.token_id: entry.logprob for entry in one.logprobs[index].top}
                gaps.append(ranked[token] - ranked.get(another, -torch.inf))
                break
    equal = 1.0 - len(gaps) / len(alone)
    print(f"{len(alone)} requests of {TOKENS} tokens: {100 * equal:.1f}% equal (bar 99%)")
    if gaps:
        print(f"gaps where they part: {', '.join(f'{gap:.3f}' for gap in sorted(gaps))}")
        ties = sum(gap <= NEAR_TIE for gap in gaps)
        print(f"{ties} of {len(gaps)} divergences at a near tie (gap at most {NEAR_TIE})")


if __name__ == "__main__":
    main()
