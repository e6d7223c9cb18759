"""From a model folder to a model, its cache and its limits, on the device that is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from inference.chat.formatter import ChatFormatter
from inference.config import ModelConfig
from inference.errors import DeviceError, InvalidParameterError
from inference.kv_cache.block_manager import BlockManager
from inference.kv_cache.cache import DEFAULT_BLOCK_SIZE
from inference.kv_cache.sizing import count_blocks
from inference.linear.cpu import multiplies_bfloat16
from inference.linear.interface import Quantization
from inference.models.base import CausalLM
from inference.models.registry import load_model
from inference.runner.model_runner import ModelRunner
from inference.runner.profiling import step_bytes
from inference.scheduling.limits import SchedulingLimits
from inference.speculation_gate import SpeculationGate, SpeculationMode
from inference.text.tokenizer import Tokenizer

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
OnProgress = Callable[[str, float], None]
"""Told what loading does just now and which share of that is done, from 0 to 1."""

# Tokens of one step: what a prompt's chunk and all answers share. On a CPU a step of 512 takes
# seconds, during which nobody else gets a token.
_STEP_TOKENS = {"cpu": 256, "mps": 512, "cuda": 4096}
# On a machine that the reader shares with us, the cache takes no more than this many tokens, or
# one whole context where that is more.
_SHARED_MACHINE_CACHE_TOKENS = 65_536
_MOST_DRAFT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class LoadingOptions:
    """How to load; see `Engine.from_pretrained`."""

    device: DeviceName = "auto"
    dtype: DtypeName = "auto"
    quantization: Quantization = "none"
    max_model_len: int | None = None
    kv_cache_bytes: int | None = None
    max_batch: int = 32
    max_step_tokens: int | None = None
    max_waiting: int = 256
    share_prefixes: bool = True
    speculation: SpeculationMode = "auto"
    cache_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What an engine is made of."""

    config: ModelConfig
    device: torch.device
    dtype: torch.dtype
    quantization: Quantization
    tokenizer: Tokenizer
    chat: ChatFormatter
    runner: ModelRunner
    blocks: BlockManager
    limits: SchedulingLimits
    gate: SpeculationGate


def load(folder: Path, options: LoadingOptions, on_progress: OnProgress) -> LoadedModel:
    """Load a model folder.

    Raises:
        ModelError: the folder cannot be served.
        DeviceError: the device is not there, or too small.
        InvalidParameterError: an option is out of range.
    """
    on_progress("configuration", 0.0)
    _require_counts(options)
    config = ModelConfig.from_folder(folder)
    _require_context(options.max_model_len, config)
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, config.stored_dtype, device, options.quantization)
    tokenizer = Tokenizer.from_folder(folder)
    model = load_model(
        folder,
        device=device,
        dtype=dtype,
        quantization=options.quantization,
        cache_folder=options.cache_folder,
        on_progress=lambda share: on_progress("weights", share),
        max_model_len=options.max_model_len,
    )
    on_progress("cache", 0.0)
    limits = _limits(options, config, model, device, dtype)
    num_blocks = limits.cache_tokens // DEFAULT_BLOCK_SIZE
    blocks = BlockManager(
        num_blocks,
        DEFAULT_BLOCK_SIZE,
        seed=f"{folder.resolve()}/{options.quantization}/{dtype}".encode(),
        share_prefixes=options.share_prefixes,
    )
    runner = ModelRunner(
        model,
        num_blocks=num_blocks,
        block_size=DEFAULT_BLOCK_SIZE,
        device=device,
        dtype=dtype,
        max_model_len=limits.max_model_len,
    )
    on_progress("ready", 1.0)
    return LoadedModel(
        config,
        device,
        dtype,
        options.quantization,
        tokenizer,
        ChatFormatter.from_folder(folder, tokenizer),
        runner,
        blocks,
        limits,
        SpeculationGate(options.speculation, limits.max_draft_tokens),
    )


def _limits(
    options: LoadingOptions,
    config: ModelConfig,
    model: CausalLM,
    device: torch.device,
    dtype: torch.dtype,
) -> SchedulingLimits:
    context_tokens = options.max_model_len or config.context_tokens
    step_tokens = max(options.max_step_tokens or _STEP_TOKENS[device.type], 2 * options.max_batch)
    draft_tokens = min(step_tokens - options.max_batch, _MOST_DRAFT_TOKENS)
    num_blocks = count_blocks(
        model.attention_specs,
        block_size=DEFAULT_BLOCK_SIZE,
        dtype=dtype,
        device=device,
        step_bytes=step_bytes(
            model,
            device=device,
            dtype=dtype,
            max_step_tokens=step_tokens,
            max_rows=options.max_batch + draft_tokens,
        ),
        limit_bytes=options.kv_cache_bytes,
        most_tokens=_most_tokens(options, context_tokens, device),
    )
    cache_tokens = num_blocks * DEFAULT_BLOCK_SIZE
    return SchedulingLimits(
        max_model_len=options.max_model_len or min(context_tokens, cache_tokens),
        cache_tokens=cache_tokens,
        max_batch=options.max_batch,
        max_step_tokens=step_tokens,
        max_draft_tokens=draft_tokens,
        max_waiting=options.max_waiting,
    )


def choose_device(name: DeviceName) -> torch.device:
    """Return the device of a name; "auto" takes the fastest that is there.

    Raises:
        DeviceError: it is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    if not there.get(name, False):
        raise DeviceError(f"This machine has no device {name!r} that torch can use.")
    return torch.device(name)


def choose_dtype(
    name: DtypeName, stored: torch.dtype, device: torch.device, quantization: Quantization
) -> torch.dtype:
    """Return the type to compute in; "auto" is the stored one where the device is fast at it.

    A CPU without AVX512_BF16 or AMX keeps weights in bfloat16, which halves what is read for each
    token (`inference.linear.cpu`); where they are quantised, float32 is faster around them.
    """
    if name != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[name]
    if stored == torch.float32:
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return stored
    dense = stored == torch.bfloat16 and quantization == "none"
    return torch.bfloat16 if dense or multiplies_bfloat16() else torch.float32


def _require_counts(options: LoadingOptions) -> None:
    for name in ("max_batch", "max_step_tokens", "max_waiting"):
        count = getattr(options, name)
        if count is not None and count < 1:
            raise InvalidParameterError(name, f"{name} must be at least 1.")


def _require_context(max_model_len: int | None, config: ModelConfig) -> None:
    if max_model_len is not None and not 1 <= max_model_len <= config.context_tokens:
        raise InvalidParameterError(
            "max_model_len",
            f"max_model_len must be between 1 and {config.context_tokens}, the model's context.",
        )


def _most_tokens(options: LoadingOptions, context_tokens: int, device: torch.device) -> int | None:
    if device.type == "cuda" or options.kv_cache_bytes is not None:
        return None
    return max(context_tokens, _SHARED_MACHINE_CACHE_TOKENS)
