"""How fast the engine decodes and reads prompts on a card, and what memory it takes."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from gpu_models import LLAMA_1B, LLAMA_8B, QWEN3_06B, in_small, random_model, weight_bytes
from gpu_report import Report

from inference.kv_cache.cache import block_bytes
from inference.models.base import CausalLM
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice

BLOCK_SIZE = 16
PROMPT, OUTPUT = 64, 128
LONG_PROMPT = 2048


def measure_all(device: torch.device, report: Report, *, tiny: bool) -> None:
    """Measure the three shapes."""
    bandwidth = copy_bandwidth(device, 1 << 24 if tiny else 1 << 32)
    report.note("memory bandwidth of copies", f"{bandwidth / 1e12:.3f} TB/s")
    wanted: Sequence[tuple[str, Mapping[str, object], Callable[..., None]]] = (
        ("Llama-3.2-1B", LLAMA_1B, _bars_1b),
        ("Llama-3.1-8B", LLAMA_8B, _bars_8b),
        ("Qwen3-0.6B", QWEN3_06B, _bars_06b),
    )
    for name, shape, bars in wanted:
        try:
            _measure(name, in_small(shape) if tiny else shape, device, report, bandwidth, bars)
        except Exception as error:  # noqa: BLE001
            report.error(name, error)
        _release(device)
    try:
        _peer(in_small(LLAMA_1B) if tiny else LLAMA_1B, device, report)
    except Exception as error:  # noqa: BLE001
        report.error("transformers, Llama-3.2-1B", error)


def _bars_1b(report: Report, name: str, share: float, tokens_s: float, prefill_s: float) -> None:
    report.at_least(f"{name} decode, batch 1, share of the roofline", share, 0.60)
    report.at_least(f"{name} decode, batch 1", tokens_s, 1000, " tokens/s")
    report.at_least(f"{name} prefill of {LONG_PROMPT}", prefill_s, 50_000, " tokens/s")


def _bars_8b(report: Report, name: str, share: float, tokens_s: float, prefill_s: float) -> None:
    report.at_least(f"{name} decode, batch 1, share of the roofline", share, 0.75)
    report.note(f"{name} decode, batch 1", f"{tokens_s:,.1f} tokens/s")
    report.note(f"{name} prefill of {LONG_PROMPT}", f"{prefill_s:,.0f} tokens/s")


def _bars_06b(report: Report, name: str, share: float, tokens_s: float, prefill_s: float) -> None:
    report.note(f"{name} decode, batch 1, share of the roofline", f"{share:.3f}")
    report.at_least(f"{name} decode, batch 1", tokens_s, 800, " tokens/s")
    report.note(f"{name} prefill of {LONG_PROMPT}", f"{prefill_s:,.0f} tokens/s")


def _measure(
    name: str,
    shape: Mapping[str, object],
    device: torch.device,
    report: Report,
    bandwidth: float,
    bars: Callable[..., None],
) -> None:
    report.say(f"{name}: making random weights")
    tiny = device.type == "cpu"
    model = random_model(shape, device, torch.float32 if tiny else torch.bfloat16)
    dtype = torch.float32 if tiny else torch.bfloat16
    batches = (4,) if tiny else (64, 256)
    most_tokens = batches[-1] * (512 + 64)
    runner = ModelRunner(
        model,
        num_blocks=most_tokens // BLOCK_SIZE,
        device=device,
        dtype=dtype,
        block_size=BLOCK_SIZE,
        max_model_len=LONG_PROMPT + OUTPUT,
    )
    began = time.perf_counter()
    while runner.warm_up():
        pass
    _wait(device)
    report.note(f"{name} graphs recorded", f"{time.perf_counter() - began:.1f} s")
    prefill_s = _prefill(runner, device)
    step_s = _decode(runner, device, batch=1, prompt=PROMPT, steps=16 if tiny else OUTPUT)
    kv_bytes = block_bytes(model.attention_specs, block_size=1, dtype=dtype) * (PROMPT + OUTPUT / 2)
    read = weight_bytes(model) + kv_bytes
    bars(report, name, read / bandwidth / step_s, 1 / step_s, LONG_PROMPT / prefill_s)
    for batch in batches:
        step_s = _decode(runner, device, batch=batch, prompt=512, steps=8 if tiny else 48)
        report.note(f"{name} decode, batch {batch}, 512 before", f"{batch / step_s:,.0f} tokens/s")
    if device.type == "cuda":
        _memory(name, model, runner, device, report)


def _memory(
    name: str, model: CausalLM, runner: ModelRunner, device: torch.device, report: Report
) -> None:
    weights = sum(parameter.nbytes for parameter in model.parameters())
    cache = sum(tensor.nbytes for tensor in (*runner.cache.keys, *runner.cache.values))
    rest = torch.cuda.max_memory_allocated(device) - weights - cache
    report.note(f"{name} weights", f"{weights / 2**30:.2f} GiB")
    report.note(f"{name} beside weights and cache", f"{rest / 2**30:.2f} GiB at most")


def _prefill(runner: ModelRunner, device: torch.device) -> float:
    """Seconds of one prompt, in the middle of several."""
    blocks = list(range(LONG_PROMPT // BLOCK_SIZE))
    step = [SequenceSlice([1] * LONG_PROMPT, 0, blocks, 1)]
    times = []
    for _ in range(3 if device.type == "cpu" else 12):
        began = time.perf_counter()
        runner.run_greedy(step)
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def _decode(
    runner: ModelRunner, device: torch.device, *, batch: int, prompt: int, steps: int
) -> float:
    """Seconds of one step, the choice of tokens included, on average over `steps`."""
    blocks = -(-(prompt + steps + 8) // BLOCK_SIZE)
    tables = [list(range(row * blocks, (row + 1) * blocks)) for row in range(batch)]
    for table in tables:
        runner.run([SequenceSlice([1] * prompt, 0, table, 0)])
    tokens = [1] * batch
    began = 0.0
    for step in range(steps + 4):
        if step == 4:  # until here a graph may have been recorded
            _wait(device)
            began = time.perf_counter()
        position = prompt + step
        tokens = runner.run_greedy(
            [
                SequenceSlice((token,), position, table, 1)
                for token, table in zip(tokens, tables, strict=True)
            ]
        )
    return (time.perf_counter() - began) / steps


def _peer(shape: Mapping[str, object], device: torch.device, report: Report) -> None:
    """The same shape in transformers, batch 1."""
    from transformers import LlamaConfig, LlamaForCausalLM

    fields = {key: value for key, value in shape.items() if key != "torch_dtype"}
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    steps = 8 if device.type == "cpu" else 48
    with torch.device(device):
        model = LlamaForCausalLM(LlamaConfig(**fields)).to(dtype).eval()
    prompt = torch.ones(1, PROMPT, dtype=torch.int64, device=device)

    def generate(count: int) -> float:
        began = time.perf_counter()
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            min_new_tokens=count,
            max_new_tokens=count,
            do_sample=False,
            pad_token_id=0,
        )
        _wait(device)
        return time.perf_counter() - began

    generate(2)
    alone = generate(1)
    step_s = (generate(steps + 1) - alone) / steps
    report.note("transformers, Llama-3.2-1B decode, batch 1", f"{1 / step_s:,.1f} tokens/s")


def copy_bandwidth(device: torch.device, size: int) -> float:
    """Bytes per second that a copy reads and writes together, the best of several."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(8):
        _wait(device)
        began = time.perf_counter()
        target.copy_(source)
        _wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
