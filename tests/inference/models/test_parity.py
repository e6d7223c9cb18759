"""Every family beside transformers, on checkpoints that transformers wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from support.parity import (
    dense_logits,
    greedy,
    load,
    make_runner,
    paged_logits,
    reference,
    reference_greedy,
    reference_logits,
    scattered_blocks,
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
    _assert_equal(dense_logits(model, case.token_ids), case.logits)


def test_logits_from_the_paged_cache(case: Case) -> None:
    """Whole, in chunks, token by token, and after a prefix that another sequence computed."""
    runner = make_runner(load(case.folder, max_model_len=case.tiny.max_model_len))
    count = len(case.token_ids)
    _assert_equal(paged_logits(runner, case.token_ids, [count]), case.logits)
    _assert_equal(paged_logits(runner, case.token_ids, [7, 1, 16, 30]), case.logits)
    _assert_equal(paged_logits(runner, case.token_ids, [count // 2, 1]), case.logits)

    shared = count // 2 // 16 * 16
    own = scattered_blocks(count, first=2)
    blocks = scattered_blocks(count)[: shared // 16] + own[shared // 16 :]
    hit = paged_logits(runner, case.token_ids, [count], block_ids=blocks, start=shared)
    _assert_equal(hit, case.logits[shared:])


@pytest.mark.slow
def test_bfloat16_is_as_exact_as_theirs(case: Case) -> None:
    _assert_as_exact(case.tiny, case.folder, case.token_ids)


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
    _assert_as_exact(tiny, folder, _token_ids(_PROMPT_TOKENS))
    prompt = _token_ids(40)
    ours = greedy(make_runner(load(folder)), prompt, _GREEDY_TOKENS)
    likeliest = reference_logits(reference(folder), prompt + ours).argmax(-1).tolist()
    assert ours == likeliest[len(prompt) - 1 : -1]


def _assert_as_exact(tiny: TinyModel, folder: Path, token_ids: Sequence[int]) -> None:
    """Against float64, at most twice transformers' own error in bfloat16."""
    exact = reference_logits(reference(folder, torch.float64), token_ids)
    theirs = reference_logits(reference(folder, torch.bfloat16), token_ids)
    runner = make_runner(load(folder, torch.bfloat16, tiny.max_model_len), torch.bfloat16)
    ours = paged_logits(runner, token_ids, [len(token_ids)])
    assert ours.dtype == torch.bfloat16
    assert _rms(ours.double() - exact) <= 2 * _rms(theirs.double() - exact)


def _token_ids(count: int) -> list[int]:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(3, VOCAB_SIZE, (count,), generator=generator).tolist()


def _assert_equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=_ERROR)


def _rms(error: Tensor) -> float:
    return float(error.square().mean().sqrt())
