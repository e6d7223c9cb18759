"""What drafting from the prompt wins where answers quote it, and costs where they do not.

    python tests/benchmarks/engine_speculation.py [--tokens 200] [--rounds 2]

Four layers of about Qwen3-0.6B's width with random weights on the CPU, as they are stored
(bfloat16), in int8 and in int4; one answer at a time. Random weights quote nothing, so what the
model says is laid down: after it has computed its logits as ever, those of the wanted token are put
in their place. Three kinds of answers:

    quotes       passages of 10 to 40 tokens of the prompt with 5 to 15 other tokens between them
    other words  nothing of the prompt
    false starts three or four tokens of the prompt, then one that does not follow there: whatever
                 is drafted is wrong

Plain decode runs in the same process, interleaved, on one thread; times are the processor's. Bar:
never slower than 0.95 of it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from engine_models import SLICE, write_model
from torch import Tensor

from inference import Engine, SamplingParams
from inference.completion import Completion
from inference.linear.interface import Quantization
from inference.outputs import OutputPiece
from inference.requests import GenerationRequest
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice

PROMPT_TOKENS = 600
QUANTIZATIONS: tuple[Quantization, ...] = ("none", "int8", "int4")


def main() -> None:
    """Print a line for each kind of weights and of answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=200, help="of each answer")
    parser.add_argument("--rounds", type=int, default=2, help="answers of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "model", SLICE, dtype=torch.bfloat16)
        print("weights  answers       drafted  accepted   speed-up   bar 0.95")
        for quantization in QUANTIZATIONS:
            with (
                Engine.from_pretrained(
                    folder, quantization=quantization, kv_cache_bytes=1 << 28
                ) as drafting,
                Engine.from_pretrained(
                    folder,
                    quantization=quantization,
                    kv_cache_bytes=1 << 28,
                    speculation="never",
                ) as plain,
            ):
                for kind in ("quotes", "other words", "false starts"):
                    compare(quantization, kind, drafting, plain, options.tokens, options.rounds)


def compare(
    quantization: str, kind: str, drafting: Engine, plain: Engine, tokens: int, rounds: int
) -> None:
    """Let both engines give the same answers."""
    draw = random.Random(kind)
    ratios, drafted, accepted = [], 0, 0
    for _ in range(rounds):
        prompt = [draw.randrange(1, SLICE["vocab_size"] // 2) for _ in range(PROMPT_TOKENS)]
        answer = wanted_answer(kind, prompt, tokens, draw)
        times = {}
        for engine in draw.sample((drafting, plain), 2):
            params = SamplingParams(temperature=0.0, max_tokens=len(answer), ignore_eos=True)
            with saying([*prompt, *answer]):
                completion, times[engine] = timed(engine, prompt, params)
            assert list(completion.token_ids) == answer
            drafted += completion.usage.drafted_tokens
            accepted += completion.usage.accepted_tokens
        ratios.append(times[plain] / times[drafting])
    ratio = statistics.median(ratios)
    share = f"{accepted / drafted:8.2f}" if drafted else "       -"
    print(
        f"{quantization:8} {kind:13} {drafted / rounds:7.0f}  {share}   {ratio:8.2f}"
        f"   {'met' if ratio >= 0.95 else 'missed'}",
        flush=True,
    )


def timed(engine: Engine, prompt: list[int], params: SamplingParams) -> tuple[Completion, float]:
    """Generate, and return the processor time from the first token to the last as well."""
    pieces: list[OutputPiece] = []
    at_s: list[float] = []
    ended = threading.Event()

    def deliver(piece: OutputPiece) -> None:
        at_s.append(time.thread_time())  # the engine's thread
        pieces.append(piece)
        if piece.finish_reason is not None:
            ended.set()

    engine.submit(GenerationRequest("timed", tuple(prompt), params), deliver)
    ended.wait()
    return Completion.from_pieces(pieces), at_s[-1] - at_s[0]


def wanted_answer(kind: str, prompt: Sequence[int], tokens: int, draw: random.Random) -> list[int]:
    """Return what the model is to say."""
    other = iter(lambda: draw.randrange(SLICE["vocab_size"] // 2, SLICE["vocab_size"]), None)
    answer: list[int] = []
    while len(answer) < tokens:
        if kind == "quotes":
            answer += [next(other) for _ in range(draw.randrange(5, 16))]
            answer += passage(prompt, draw.randrange(10, 41), draw)
        elif kind == "false starts":
            answer += [*passage(prompt, draw.choice([3, 4]), draw), next(other)]
        else:
            answer.append(next(other))
    return answer[:tokens]


def passage(prompt: Sequence[int], length: int, draw: random.Random) -> Sequence[int]:
    """Return a piece of the prompt."""
    start = draw.randrange(len(prompt) - length)
    return prompt[start : start + length]


@contextmanager
def saying(text: Sequence[int]) -> Iterator[None]:
    """Let the model compute, and then say the text whatever it computed."""
    run = ModelRunner.run

    def run_and_replace(runner: ModelRunner, slices: Sequence[SequenceSlice]) -> Tensor:
        logits = run(runner, slices)
        wanted = []
        for piece in slices:
            end = piece.start + len(piece.token_ids)
            following = range(end - piece.logit_rows + 1, end + 1)
            wanted += [text[min(at, len(text) - 1)] for at in following]
        said = torch.zeros_like(logits)
        said[torch.arange(len(wanted)), torch.tensor(wanted, dtype=torch.int64)] = 1.0
        return said

    ModelRunner.run = run_and_replace  # type: ignore[method-assign]
    try:
        yield
    finally:
        ModelRunner.run = run  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
