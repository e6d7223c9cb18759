"""The engine's models beside transformers' on the same checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from inference.attention.interface import AttentionSpec
from inference.models.base import CausalLM
from inference.models.registry import load_model
from support.dense_attention import dense_attention

CPU = torch.device("cpu")


class WholePrefill:
    """Attention over one sequence that is computed whole, without a cache."""

    def attend(self, spec: AttentionSpec, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return dense_attention(spec, query, key, value).to(query.dtype)


def load(
    folder: Path, dtype: torch.dtype = torch.float32, max_model_len: int | None = None
) -> CausalLM:
    return load_model(folder, device=CPU, dtype=dtype, max_model_len=max_model_len)


@torch.inference_mode()
def our_logits(model: CausalLM, token_ids: Sequence[int]) -> Tensor:
    """(tokens, vocab) of a whole prefill."""
    hidden = model(
        torch.tensor(token_ids, dtype=torch.int64), torch.arange(len(token_ids)), WholePrefill()
    )
    return model.logits(hidden)


def reference(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model as transformers loads it, with its plain attention."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager"
    ).eval()


@torch.inference_mode()
def reference_logits(model: PreTrainedModel, token_ids: Sequence[int]) -> Tensor:
    """(tokens, vocab) of a whole prefill."""
    return model(input_ids=torch.tensor([list(token_ids)]), use_cache=False).logits[0]
