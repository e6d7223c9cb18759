"""The engine's models beside transformers' on the same checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from inference.attention.interface import AttentionSpec
from inference.models.base import CausalLM
from inference.models.registry import load_model
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from support.dense_attention import dense_attention

CPU = torch.device("cpu")
BLOCK_SIZE = 16


class WholePrefill:
    """Attention over one sequence that is computed whole, without a cache."""

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return dense_attention(spec, query, key, value).to(query.dtype)


def load(
    folder: Path, dtype: torch.dtype = torch.float32, max_model_len: int | None = None
) -> CausalLM:
    return load_model(folder, device=CPU, dtype=dtype, max_model_len=max_model_len)


@torch.inference_mode()
def dense_logits(model: CausalLM, token_ids: Sequence[int]) -> Tensor:
    """(tokens, vocab) of a whole prefill with the plainest attention."""
    hidden = model(
        torch.tensor(token_ids, dtype=torch.int64), torch.arange(len(token_ids)), WholePrefill()
    )
    return model.logits(hidden)


def make_runner(model: CausalLM, dtype: torch.dtype = torch.float32) -> ModelRunner:
    return ModelRunner(model, num_blocks=64, block_size=BLOCK_SIZE, device=CPU, dtype=dtype)


def scattered_blocks(tokens: int, first: int = 1) -> list[int]:
    """Block ids for so many tokens, no two of them in a row."""
    return list(range(first, first + 2 * -(-tokens // BLOCK_SIZE), 2))


def paged_logits(
    runner: ModelRunner,
    token_ids: Sequence[int],
    chunks: Sequence[int],
    block_ids: Sequence[int] | None = None,
    start: int = 0,
) -> Tensor:
    """Logits of the tokens from `start` on, computed in chunks of these sizes."""
    blocks = scattered_blocks(len(token_ids)) if block_ids is None else block_ids
    rows: list[Tensor] = []
    for begin, end in _borders(start, len(token_ids), chunks):
        part = SequenceSlice(
            token_ids=list(token_ids[begin:end]),
            start=begin,
            block_ids=list(blocks),
            logit_rows=end - begin,
        )
        rows.append(runner.run([part]).clone())
    return torch.cat(rows)


def paged_errors(
    runner: ModelRunner, token_ids: Sequence[int], expected: Tensor
) -> dict[str, float]:
    """The largest error of any logit, for each way that the tokens can come to be computed."""
    count = len(token_ids)
    shared = count // 2 // BLOCK_SIZE
    errors = {
        name: _largest(paged_logits(runner, token_ids, chunks) - expected)
        for name, chunks in {
            "whole": [count],
            "chunks": [7, 1, 16, 30],
            "decode": [count // 2, 1],
        }.items()
    }
    # The blocks of the first half are left from before, those of the second are another's.
    blocks = scattered_blocks(count)[:shared] + scattered_blocks(count, first=2)[shared:]
    start = shared * BLOCK_SIZE
    hit = paged_logits(runner, token_ids, [count], block_ids=blocks, start=start)
    return errors | {"prefix hit": _largest(hit - expected[start:])}


def bfloat16_ratio(folder: Path, token_ids: Sequence[int], max_model_len: int | None) -> float:
    """Our error against float64 in bfloat16, over transformers' own; root mean squares."""
    exact = reference_logits(reference(folder, torch.float64), token_ids)
    theirs = reference_logits(reference(folder, torch.bfloat16), token_ids)
    runner = make_runner(load(folder, torch.bfloat16, max_model_len), torch.bfloat16)
    ours = paged_logits(runner, token_ids, [len(token_ids)])
    return _rms(ours.double() - exact) / _rms(theirs.double() - exact)


def greedy(runner: ModelRunner, prompt: Sequence[int], tokens: int) -> list[int]:
    """The likeliest continuation, from the paged cache."""
    blocks = scattered_blocks(len(prompt) + tokens)
    written: list[int] = []
    pending, start = list(prompt), 0
    while len(written) < tokens:
        part = SequenceSlice(token_ids=pending, start=start, block_ids=blocks, logit_rows=1)
        start += len(pending)
        pending = [int(runner.run([part])[0].argmax())]
        written += pending
    return written


def reference(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model as transformers loads it, with its plain attention."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", experts_implementation="eager"
    ).eval()


@torch.inference_mode()
def reference_logits(model: PreTrainedModel, token_ids: Sequence[int]) -> Tensor:
    """(tokens, vocab) of a whole prefill."""
    return model(input_ids=torch.tensor([list(token_ids)]), use_cache=False).logits[0]


def reference_greedy(model: PreTrainedModel, prompt: Sequence[int], tokens: int) -> list[int]:
    """What transformers writes after the prompt, past any end of text."""
    prompt_ids = torch.tensor([list(prompt)])
    written = model.generate(
        prompt_ids,
        attention_mask=torch.ones_like(prompt_ids),
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return written[0, len(prompt) :].tolist()


def _borders(start: int, length: int, chunks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Borders of chunks of these sizes; the last size is repeated to the end."""
    index = 0
    while start < length:
        end = min(start + chunks[min(index, len(chunks) - 1)], length)
        yield start, end
        start, index = end, index + 1


def _largest(error: Tensor) -> float:
    return float(error.abs().max())


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())
