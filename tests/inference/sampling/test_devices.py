from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from inference.errors import NumericalError
from inference.requests import SamplingParams
from inference.sampling.sampler import Sampler
from inference.sampling.state import SamplingRow, SamplingState

VOCAB = 20_000
CHOICES = [
    SamplingParams(temperature=0.0),
    SamplingParams(temperature=0.0, top_logprobs=4),
    SamplingParams(seed=1),
    SamplingParams(seed=2, temperature=0.7, top_k=40, top_p=0.9),
    SamplingParams(seed=3, top_p=0.999),
    SamplingParams(seed=4, top_k=5_000),
    SamplingParams(seed=5, min_p=0.05),
    SamplingParams(seed=6, repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2),
    SamplingParams(seed=7, logit_bias={5: 50.0, 6: -50.0}),
]


class EvenTokens:
    """Allows every second token."""

    is_finished = False

    def mask_after(self, draft: object) -> np.ndarray:
        return np.full(VOCAB // 32, 0x55555555, dtype=np.int32)

    def advance(self, token_id: int) -> None: ...


def rows() -> list[SamplingRow]:
    made = [SamplingRow(SamplingState(params, [1, 2, 3], VOCAB)) for params in CHOICES]
    constrained = SamplingState(SamplingParams(seed=8), [], VOCAB, constraint=EvenTokens())
    return [*made, SamplingRow(constrained)]


@pytest.mark.parametrize(
    ("device", "there"),
    [
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_device_draws_what_the_processor_draws(
    device: str, there: bool, dtype: torch.dtype
) -> None:
    if not there:
        pytest.skip(f"no {device} here")
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        logits = (torch.randn(len(CHOICES) + 1, VOCAB, generator=random) * 3).to(dtype)
        here = Sampler().sample(logits, rows())
        away = Sampler().sample(logits.to(device), rows())
        assert [one.token_id for one in away] == [one.token_id for one in here]
        assert away[-1].token_id % 2 == 0
        assert away[1].logprobs is not None
        assert here[1].logprobs is not None
        for one, other in zip(away[1].logprobs.top, here[1].logprobs.top, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        logits[2, 9] = math.nan
        spoilt = Sampler().sample(logits.to(device), rows())
        assert isinstance(spoilt[2].error, NumericalError)
        assert [one.error for at, one in enumerate(spoilt) if at != 2] == [None] * len(CHOICES)


def test_rows_of_every_kind_in_one_batch() -> None:
    """The same on the processor, one by one and together."""
    logits = torch.randn(len(CHOICES) + 1, VOCAB, generator=torch.Generator().manual_seed(1))
    together = Sampler().sample(logits, rows())
    alone = [
        Sampler().sample(logits[at : at + 1], [row])[0].token_id for at, row in enumerate(rows())
    ]
    assert [one.token_id for one in together] == alone
    assert alone[-1] % 2 == 0
