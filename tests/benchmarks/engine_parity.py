"""Every family of models beside transformers: errors of logits, and tokens that agree.

    python tests/benchmarks/engine_parity.py

Tiny checkpoints with random weights, written by transformers, several for each family. Printed are
the largest error of any logit in float32 (bar 1e-5) over a prompt of 120 tokens computed whole, in
chunks, token by token, and after a prefix that another sequence left in the cache; the error in
bfloat16 against float64 as a multiple of transformers' own (bar 2); and how many of 200 greedy
tokens are those that transformers generates. Where POSTIL_CORPUS is set, the real stories260K
follows. Takes some minutes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.parity import (  # noqa: E402
    bfloat16_ratio,
    greedy,
    load,
    make_runner,
    paged_errors,
    reference,
    reference_greedy,
    reference_logits,
)
from support.tiny_models import TINY_MODELS, VOCAB_SIZE, TinyModel  # noqa: E402

PROMPT_TOKENS = 120
GREEDY_PROMPT_TOKENS = 40
GREEDY_TOKENS = 200
WAYS = ("whole", "chunks", "decode", "prefix hit")


def main() -> None:
    """Print the table."""
    ways = "".join(f"{way:>11}" for way in WAYS)
    print(f"{'float32, largest error:':26}{ways}{'bfloat16':>11}{'greedy':>10}")
    for tiny in TINY_MODELS:
        with tempfile.TemporaryDirectory() as folder:
            print(row(tiny, tiny.write(Path(folder))), flush=True)
    if os.environ.get("POSTIL_CORPUS"):
        print(stories(Path(os.environ["POSTIL_CORPUS"]) / "models" / "stories260K"))


def row(tiny: TinyModel, folder: Path) -> str:
    """Compare one checkpoint."""
    prompt = token_ids(min(tiny.max_model_len or PROMPT_TOKENS, PROMPT_TOKENS))
    theirs = reference(folder)
    runner = make_runner(load(folder, max_model_len=tiny.max_model_len))
    errors = paged_errors(runner, prompt, reference_logits(theirs, prompt))
    ratio = bfloat16_ratio(folder, prompt, tiny.max_model_len)
    agreed = "-"  # where transformers changes its positions as the text grows
    if tiny.max_model_len is None:
        short = token_ids(GREEDY_PROMPT_TOKENS)
        written = greedy(runner, short, GREEDY_TOKENS)
        expected = reference_greedy(theirs, short, GREEDY_TOKENS)
        agreed = str(sum(one == other for one, other in zip(written, expected, strict=True)))
    cells = "".join(f"{errors[way]:11.1e}" for way in WAYS)
    return f"{tiny.name:26}{cells}{ratio:11.2f}{agreed:>10}"


def stories(folder: Path) -> str:
    """Compare the real model with its golden text, and its logits with transformers'."""
    golden = json.loads((folder / "golden_greedy.json").read_text())["greedy_token_ids"]
    expected = reference_logits(reference(folder / "hf"), golden)
    runner = make_runner(load(folder / "hf"))
    errors = paged_errors(runner, golden, expected)
    ratio = bfloat16_ratio(folder / "hf", golden, None)
    prompt_tokens = 5
    written = greedy(runner, golden[:prompt_tokens], len(golden) - prompt_tokens)
    agreed = sum(one == other for one, other in zip(written, golden[prompt_tokens:], strict=True))
    cells = "".join(f"{errors[way]:11.1e}" for way in WAYS)
    total = f"{agreed}/{len(written)}"
    largest = float(expected.abs().max())
    return f"{'stories260K':26}{cells}{ratio:11.2f}{total:>10}   (logits up to {largest:.0f})"


def token_ids(count: int) -> list[int]:
    """Random tokens, the same each time."""
    generator = torch.Generator().manual_seed(5)
    return torch.randint(3, VOCAB_SIZE, (count,), generator=generator).tolist()


if __name__ == "__main__":
    main()
