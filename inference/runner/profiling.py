"""What one step of the model takes beside its weights and the cache."""

from __future__ import annotations

import torch

from inference.kv_cache.cache import DEFAULT_BLOCK_SIZE
from inference.models.base import CausalLM
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice

# Sampling holds logits in float32 about this many times: as they are, adjusted, sorted, summed up.
_LOGIT_COPIES = 4


def step_bytes(
    model: CausalLM,
    *,
    device: torch.device,
    dtype: torch.dtype,
    max_step_tokens: int,
    max_rows: int,
) -> int:
    """Bytes that the largest step takes, sampling included.

    On CUDA a step is run and measured, which also makes the libraries take the memory that they
    keep. On other devices it is reckoned from the model's shape.

    Args:
        model: the model, on `device`.
        device: where it computes.
        dtype: what it computes in.
        max_step_tokens: tokens of the largest step.
        max_rows: most logits of one step, in rows.

    Raises:
        DeviceError: the device has no room for such a step.
    """
    vocab = model.config.vocab_size
    sampling = max_rows * vocab * (4 * _LOGIT_COPIES + dtype.itemsize)
    if device.type == "cuda":
        return sampling + _measured(model, device, dtype, max_step_tokens)
    config = model.config
    heads = (config.num_heads + 2 * config.num_kv_heads) * config.head_dim
    # Alive at the same time at most: the residual stream and its norm, the projections to heads
    # before and after rotation, gate and up and their product.
    width = 4 * config.hidden_size + 3 * heads + 3 * config.intermediate_size
    return sampling + max_step_tokens * width * dtype.itemsize


def _measured(
    model: CausalLM, device: torch.device, dtype: torch.dtype, max_step_tokens: int
) -> int:
    blocks = list(range(-(-max_step_tokens // DEFAULT_BLOCK_SIZE)))
    step = SequenceSlice([0] * max_step_tokens, 0, blocks, 1)
    runner = ModelRunner(
        model,
        num_blocks=len(blocks),
        device=device,
        dtype=dtype,
        max_model_len=max_step_tokens,
    )
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    runner.run([step])
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before
