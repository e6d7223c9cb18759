"""Every family beside transformers, on checkpoints that transformers wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from support.parity import (
    bfloat16_ratio,
    dense_logits,
    greedy,
    load,
    make_runner,
    paged_errors,
    reference,
    reference_greedy,
    reference_logits,
)
from support.tiny_models import ONE_OF_EACH_FAMILY, TINY_MODELS, VOCAB_SIZE, TinyModel

_PROMPT_TOKENS = 120
_ERROR = 1e-5
_GREEDY_TOKENS = 200


@dataclass(frozen=True)
class Case:
    """A checkpoint, a prompt, and the logits that transformers gives it."""

    tiny: TinyModel
    folder: Path
    token_ids: Sequence[int]
    logits: Tensor


@pytest.fixture(scope="module", params=TINY_MODELS, ids=lambda tiny: tiny.name)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    tiny: TinyModel = request.param
    folder = tiny.write(tmp_path_factory.mktemp(tiny.name))
    token_ids = _token_ids(min(tiny.max_model_len or _PROMPT_TOKENS, _PROMPT_TOKENS))
    return Case(tiny, folder, token_ids, reference_logits(reference(folder), token_ids))


def test_logits_of_a_whole_prompt(case: Case) -> None:
    model = load(case.folder, max_model_len=case.tiny.max_model_len)
    ours = dense_logits(model, case.token_ids)
    torch.testing.assert_close(ours, case.logits, rtol=0, atol=_ERROR)


def test_logits_from_the_paged_cache(case: Case) -> None:
    """Whole, in chunks, token by token, and after a prefix that another sequence computed."""
    runner = make_runner(load(case.folder, max_model_len=case.tiny.max_model_len))
    errors = paged_errors(runner, case.token_ids, case.logits)
    assert all(error <= _ERROR for error in errors.values()), errors


@pytest.mark.slow
def test_bfloat16_is_as_exact_as_theirs(case: Case) -> None:
    assert bfloat16_ratio(case.folder, case.token_ids, case.tiny.max_model_len) <= 2


@pytest.mark.slow
def test_greedy_text_is_what_transformers_generates(case: Case) -> None:
    if case.tiny.max_model_len is not None:
        pytest.skip("transformers changes its positions as the text grows")
    prompt = _token_ids(40)
    ours = greedy(make_runner(load(case.folder)), prompt, _GREEDY_TOKENS)
    assert ours == reference_greedy(reference(case.folder), prompt, _GREEDY_TOKENS)


@pytest.mark.parametrize("tiny", ONE_OF_EACH_FAMILY, ids=lambda tiny: tiny.name)
def test_bfloat16_and_greedy_text_of_each_family(tiny: TinyModel, tmp_path: Path) -> None:
    """The short form: instead of generating, transformers judges our text at every token."""
    folder = tiny.write(tmp_path, seed=1)
    assert bfloat16_ratio(folder, _token_ids(_PROMPT_TOKENS), tiny.max_model_len) <= 2
    prompt = _token_ids(40)
    ours = greedy(make_runner(load(folder)), prompt, _GREEDY_TOKENS)
    likeliest = reference_logits(reference(folder), prompt + ours).argmax(-1).tolist()
    assert ours == likeliest[len(prompt) - 1 : -1]


def _token_ids(count: int) -> list[int]:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(3, VOCAB_SIZE, (count,), generator=generator).tolist()
