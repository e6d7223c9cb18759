"""Whether the engine is right on a card: kernels, models, graphs, and what a batch changes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from gpu_report import Report
from torch import Tensor
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from inference.attention.batch import lay_out
from inference.attention.interface import AttentionSpec
from inference.attention.selection import select_backend
from inference.kernels.availability import triton_serves
from inference.kv_cache.cache import KVCache
from inference.models.registry import load_model
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from support.dense_attention import dense_attention

BLOCK_SIZE = 16
SHAPE = {
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "max_position_embeddings": 1024,
    "initializer_range": 0.1,
}
TOLERANCES = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}


def check_all(device: torch.device, report: Report, *, tiny: bool) -> None:
    """Check everything; a failure is noted, and the rest goes on."""
    serves = triton_serves(device.type)
    report.note("attention by", "Triton" if serves else "SDPA")
    _attempt(report, "attention", lambda: _check_attention(device, report, tiny=tiny))
    families: Sequence[tuple[str, Callable[[], PreTrainedModel]]] = (
        ("Llama", lambda: LlamaForCausalLM(LlamaConfig(**SHAPE))),
        ("Qwen3", lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE))),
        (
            "Gemma2",
            lambda: Gemma2ForCausalLM(
                Gemma2Config(**SHAPE, sliding_window=40, query_pre_attn_scalar=64)
            ),
        ),
    )
    for name, make in families:
        _attempt(report, name, lambda n=name, m=make: _check_family(n, m, device, report, tiny))


def _attempt(report: Report, what: str, check: Callable[[], None]) -> None:
    try:
        check()
    except Exception as error:  # noqa: BLE001
        report.error(what, error)


def _check_attention(device: torch.device, report: Report, *, tiny: bool) -> None:
    """Random tables, lengths, windows and caps; decodes, drafts and prefill chunks in one step."""
    generator = torch.Generator().manual_seed(1)
    for dtype, most in TOLERANCES.items():
        worst = 0.0
        for window, cap, heads, kv_heads, head_dim in _attention_shapes(tiny=tiny):
            spec = AttentionSpec(0, heads, kv_heads, head_dim, head_dim**-0.5, window, cap)
            worst = max(worst, _attention_error(spec, dtype, device, generator))
        report.check(f"attention, {str(dtype).removeprefix('torch.')}, largest error", worst, most)


def _attention_shapes(*, tiny: bool) -> Iterator[tuple[int | None, float | None, int, int, int]]:
    for window in (None, 33):
        for cap in (None, 20.0):
            for heads, kv_heads, head_dim in (
                ((8, 2, 16),)
                if tiny
                else (
                    (32, 8, 64),
                    (32, 8, 128),
                    (16, 8, 128),
                    (5, 5, 80),
                    (8, 4, 256),
                )
            ):
                yield window, cap, heads, kv_heads, head_dim


def _attention_error(
    spec: AttentionSpec, dtype: torch.dtype, device: torch.device, generator: torch.Generator
) -> float:
    past, count = (0, 5, 130, 300, 700, 64), (200, 1, 1, 4, 1, 90)
    lengths = [before + new for before, new in zip(past, count, strict=True)]
    needs = [-(-length // BLOCK_SIZE) for length in lengths]
    order = torch.randperm(sum(needs), generator=generator).tolist()
    tables = [[order.pop() for _ in range(need)] for need in needs]
    cache = KVCache(
        [spec], num_blocks=sum(needs), block_size=BLOCK_SIZE, dtype=dtype, device=device
    )
    for tensor in (*cache.keys, *cache.values):
        tensor.fill_(float("nan"))
    backend = select_backend(cache)

    def random(rows: int, heads: int) -> Tensor:
        return torch.randn(rows, heads, spec.head_dim, generator=generator).to(device, dtype)

    keys = [random(length, spec.num_kv_heads) for length in lengths]
    values = [random(length, spec.num_kv_heads) for length in lengths]
    queries = [random(length, spec.num_heads) for length in lengths]

    def step(first: Sequence[int], last: Sequence[int]) -> Tensor:
        live = [at for at in range(len(lengths)) if last[at] > first[at]]
        parts = [([0] * (last[at] - first[at]), first[at], tables[at]) for at in live]
        attention = backend.begin(lay_out(parts, block_size=BLOCK_SIZE).on(device))

        def rows(tensors: Sequence[Tensor]) -> Tensor:
            return torch.cat([tensors[at][first[at] : last[at]] for at in live])

        return attention.attend(spec, rows(queries), rows(keys), rows(values))

    step([0] * len(lengths), past)
    output = step(past, lengths).double().cpu()
    expected = [
        dense_attention(spec, query[before:].cpu(), key.cpu(), value.cpu())
        for before, query, key, value in zip(past, queries, keys, values, strict=True)
    ]
    return float((output - torch.cat(expected)).abs().max())


def _check_family(
    name: str,
    make: Callable[[], PreTrainedModel],
    device: torch.device,
    report: Report,
    tiny: bool,
) -> None:
    torch.manual_seed(0)
    reference = make().eval()
    length, written = (90, 10) if tiny else (300, 100)
    text = torch.randint(2, SHAPE["vocab_size"], (length,)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        reference.save_pretrained(folder)
        model = load_model(Path(folder), device=device, dtype=torch.float32)
        half = load_model(Path(folder), device=device, dtype=torch.bfloat16)
    with torch.inference_mode():
        expected = reference(torch.tensor([text]), use_cache=False).logits[0].double()
        half_reference = make().to(torch.bfloat16).eval()
        half_reference.load_state_dict(reference.state_dict())
        half_expected = half_reference(torch.tensor([text]), use_cache=False).logits[0].double()
    runner = _runner(model, device, torch.float32)
    most = 1e-4 * float(expected.abs().max())
    for kind, cuts in _ways_to_cut(length):
        error = float((_logits(runner, text, cuts) - expected).abs().max())
        report.check(f"{name}, float32, {kind}, largest error of logits", error, most)
    generated = reference.generate(
        torch.tensor([text[:20]]),
        attention_mask=torch.ones(1, 20, dtype=torch.int64),
        min_new_tokens=written,
        max_new_tokens=written,
        do_sample=False,
        pad_token_id=0,
    )[0, 20:].tolist()
    ours = _greedy(runner, [text[:20]], written)[0]
    equal = sum(a == b for a, b in zip(ours, generated, strict=True)) / written
    report.check_share(f"{name}, float32, greedy tokens equal to transformers'", equal, 1.0)
    half_runner = _runner(half, device, torch.bfloat16)
    error = float((_logits(half_runner, text, [length]) - expected).square().mean().sqrt())
    theirs = float((half_expected - expected).square().mean().sqrt())
    report.check(f"{name}, bfloat16, error beside transformers'", error / theirs, 2.0)
    if name == "Llama":
        _check_invariance(name, half_runner, report, requests=8 if tiny else 1000)


def _ways_to_cut(length: int) -> Sequence[tuple[str, list[int]]]:
    return (
        ("whole", [length]),
        ("chunked", [37] * (length // 37) + [length % 37]),
        ("decoded", [30] + [1] * (length - 30)),
        ("drafts verified", [30] + [5] * ((length - 30) // 5)),
    )


def _runner(model: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> ModelRunner:
    runner = ModelRunner(model, num_blocks=1100, device=device, dtype=dtype, max_model_len=1024)
    while runner.warm_up():
        pass
    return runner


def _logits(runner: ModelRunner, text: Sequence[int], cuts: Sequence[int]) -> Tensor:
    blocks = list(range(60, 0, -1))
    parts, at = [], 0
    for count in cuts:
        if count:
            piece = SequenceSlice(text[at : at + count], at, blocks, count)
            parts.append(runner.run([piece]).double().cpu())
        at += count
    return torch.cat(parts)


def _greedy(runner: ModelRunner, prompts: Sequence[Sequence[int]], steps: int) -> list[list[int]]:
    """What comes after each prompt; all advance together."""
    blocks = -(-(len(prompts[0]) + steps) // BLOCK_SIZE)
    tables = [list(range(at * blocks, (at + 1) * blocks)) for at in range(len(prompts))]
    slices = [
        SequenceSlice(prompt, 0, table, 1) for prompt, table in zip(prompts, tables, strict=True)
    ]
    written: list[list[int]] = [[] for _ in prompts]
    for _ in range(steps):
        tokens = runner.run_greedy(slices)
        for answer, token in zip(written, tokens, strict=True):
            answer.append(token)
        slices = [
            SequenceSlice([answer[-1]], len(prompt) + len(answer) - 1, table, 1)
            for prompt, answer, table in zip(prompts, written, tables, strict=True)
        ]
    return written


def _check_invariance(name: str, runner: ModelRunner, report: Report, *, requests: int) -> None:
    """The same requests alone and 250 at a time: what differs may differ only at a near-tie."""
    generator = torch.Generator().manual_seed(5)
    shape = (requests, 12)
    prompts = torch.randint(2, SHAPE["vocab_size"], shape, generator=generator).tolist()
    steps = 16
    together = []
    for first in range(0, requests, 250):
        together += _greedy(runner, prompts[first : first + 250], steps)
    gaps = []
    equal = 0
    for prompt, batched in zip(prompts, together, strict=True):
        alone = _greedy(runner, [prompt], steps)[0]
        if alone == batched:
            equal += 1
            continue
        at = next(i for i, (a, b) in enumerate(zip(alone, batched, strict=True)) if a != b)
        logits = _logits(runner, [*prompt, *alone[:at]], [len(prompt) + at])[-1]
        best = logits.topk(2).values
        gaps.append(float((best[0] - best[1]) / logits.std()))
    # Random weights make ties where trained ones do not: a share below the bar is no error.
    report.at_least(
        f"{name}, bfloat16, requests equal alone and in a batch", equal / requests, 0.99
    )
    report.check(f"{name}, bfloat16, largest gap where they part", max(gaps, default=0.0), 0.1)
