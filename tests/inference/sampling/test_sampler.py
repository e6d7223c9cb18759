from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inference.errors import InvalidParameterError, NumericalError
from inference.requests import SamplingParams
from inference.sampling.sampler import Sampled, Sampler
from inference.sampling.state import SamplingRow, SamplingState
from support.sampling_reference import distribution, drawn, scores

VOCAB = 40

tokens = st.integers(0, VOCAB - 1)
seeds = st.integers(-(2**40), 2**63)


def _row(seed: int, kind: str) -> list[float]:
    random = np.random.default_rng(seed)
    row = random.uniform(-30, 30, VOCAB) if kind == "wide" else random.normal(0, 2, VOCAB)
    if kind == "ties":
        row = row.round()
    if kind == "extreme":
        row[random.integers(0, VOCAB, 5)] = [-math.inf, -1e30, 1e4, 1e4, -math.inf]
    return [float(value) for value in row.astype(np.float32)]


kinds = st.sampled_from(["normal", "wide", "ties", "extreme"])
logit_rows = st.builds(_row, st.integers(0, 2**32), kinds)


@st.composite
def params(draw: st.DrawFn, *, greedy: bool | None = None) -> SamplingParams:
    def off_or(off: float, low: float, high: float) -> float:
        return draw(st.one_of(st.just(off), st.floats(low, high)))

    cold = draw(st.booleans()) if greedy is None else greedy
    bias: Mapping[int, float] = draw(st.dictionaries(tokens, st.floats(-100, 100), max_size=3))
    return SamplingParams(
        temperature=0.0 if cold else draw(st.sampled_from([1.0, 0.01, 0.3, 0.7, 1.5, 20.0])),
        top_k=draw(st.sampled_from([0, 0, 1, 2, 5, 39, 40, 1000])),
        top_p=off_or(1.0, 0.01, 0.999),
        min_p=off_or(0.0, 0.01, 1.0),
        repetition_penalty=off_or(1.0, 0.2, 5.0),
        presence_penalty=off_or(0.0, -3, 3),
        frequency_penalty=off_or(0.0, -3, 3),
        seed=draw(seeds),
        logit_bias=bias,
        top_logprobs=draw(st.one_of(st.none(), st.integers(0, 20))),
    )


@st.composite
def states(draw: st.DrawFn, *, greedy: bool | None = None) -> tuple[SamplingState, list[int]]:
    chosen = draw(params(greedy=greedy))
    prompt = draw(st.lists(tokens, max_size=8))
    output = draw(st.lists(tokens, max_size=8))
    state = SamplingState(chosen, prompt, VOCAB, choice=draw(st.integers(0, 3)))
    for token in output:
        state.append(token)
    return state, [*prompt, -1, *output]


def split(history: list[int]) -> tuple[list[int], list[int]]:
    at = history.index(-1)
    return history[:at], history[at + 1 :]


def sample_one(logits: Tensor, state: SamplingState, draft: tuple[int, ...] = ()) -> Sampled:
    return Sampler().sample(logits.unsqueeze(0), [SamplingRow(state, draft)])[0]


@settings(max_examples=150, deadline=None)
@given(row=logit_rows, case=states(greedy=False))
def test_draws_from_the_reference_distribution(
    row: list[float], case: tuple[SamplingState, list[int]]
) -> None:
    state, history = case
    logits = np.array(row, dtype=np.float32)
    chances = distribution(scores(logits, state.params, *split(history)), state.params)
    token, margin = drawn(chances, state.uniform())
    got = sample_one(torch.from_numpy(logits), state)
    assert got.error is None
    if margin > 1e-4:  # where the draw is not at the border between two tokens
        assert got.token_id == token or _is_near_a_cutoff(logits, state, history)


def _is_near_a_cutoff(logits: np.ndarray, state: SamplingState, history: list[int]) -> bool:
    """Whether a small change of top-p or min-p changes which tokens are kept."""
    adjusted = scores(logits, state.params, *split(history))
    kept = []
    for change in (1 - 1e-4, 1 + 1e-4):
        moved = replace(
            state.params,
            top_p=min(1.0, state.params.top_p * change) if state.params.top_p < 1 else 1.0,
            min_p=min(1.0, state.params.min_p * change),
        )
        kept.append(tuple(np.flatnonzero(distribution(adjusted, moved))))
    rounded = scores(logits, state.params, *split(history)).astype(np.float32)
    ties_moved = len(np.unique(rounded)) != len(np.unique(adjusted))
    return kept[0] != kept[1] or ties_moved


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"temperature": 0.6},
        {"top_k": 7},
        {"top_p": 0.8},
        {"min_p": 0.1},
        {"top_k": 20, "top_p": 0.9, "min_p": 0.02, "temperature": 1.3},
    ],
)
def test_frequencies(chosen: dict[str, float]) -> None:
    """6,000 draws with as many seeds, against the reference by chi-square (p = 1e-6)."""
    draws = 6_000
    logits = torch.randn(VOCAB, generator=torch.Generator().manual_seed(5)) * 2
    rows = [
        SamplingRow(SamplingState(SamplingParams(seed=seed, **chosen), [], VOCAB))  # type: ignore[arg-type]
        for seed in range(draws)
    ]
    got = [one.token_id for one in Sampler().sample(logits.expand(draws, VOCAB), rows)]
    wanted = distribution(logits.double().numpy(), rows[0].state.params) * draws
    counts = np.bincount(got, minlength=VOCAB)
    assert not counts[wanted == 0].any()
    common = wanted >= 5
    spread = ((counts - wanted)[common] ** 2 / wanted[common]).sum()
    degrees = common.sum() - 1
    assert spread < degrees + 5 * math.sqrt(2 * degrees) + 10


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(logit_rows, states()), min_size=1, max_size=6), data=st.data())
def test_the_batch_does_not_matter(
    rows: list[tuple[list[float], tuple[SamplingState, list[int]]]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    logits = torch.tensor([rows[at][0] for at in order])
    together = Sampler().sample(logits, [SamplingRow(rows[at][1][0]) for at in order])
    for place, at in enumerate(order):
        alone = sample_one(torch.tensor(rows[at][0]), rows[at][1][0])
        assert together[place].token_id == alone.token_id
        assert (together[place].logprobs is None) == (alone.logprobs is None)


@settings(max_examples=50, deadline=None)
@given(row=logit_rows, case=states(), draft=st.lists(tokens, max_size=5))
def test_after_a_draft_as_after_the_same_tokens(
    row: list[float], case: tuple[SamplingState, list[int]], draft: list[int]
) -> None:
    state, _ = case
    logits = torch.tensor(row)
    ahead = sample_one(logits, state, tuple(draft))
    for token in draft:
        state.append(token)
    assert sample_one(logits, state) == ahead


@settings(max_examples=50, deadline=None)
@given(row=logit_rows, case=states(greedy=True), dtype=st.sampled_from(["float32", "bfloat16"]))
def test_greedy_takes_the_likeliest_and_of_equals_the_first(
    row: list[float], case: tuple[SamplingState, list[int]], dtype: str
) -> None:
    state, history = case
    logits = torch.tensor(row).to(getattr(torch, dtype))
    adjusted = scores(logits.float().numpy(), state.params, *split(history))
    got = sample_one(logits, state)
    rounded = adjusted.astype(np.float32)
    if state.is_adjusted:
        assert adjusted[got.token_id] >= adjusted.max() - 1e-4 * max(1.0, abs(adjusted.max()))
    else:
        assert got.token_id == int(rounded.argmax())


@pytest.mark.parametrize("vocab", [300, 5000])
@pytest.mark.parametrize(
    "chosen",
    [
        {"top_p": 0.95},
        {"top_p": 0.9999},
        {"top_k": 256},
        {"top_k": 257},
        {"top_k": 299, "top_p": 0.99},
        {"top_k": 10**9, "top_p": 0.5},
    ],
)
@pytest.mark.parametrize("ties", [False, True])
def test_cutoffs_far_down_a_large_vocabulary(
    vocab: int, chosen: dict[str, float], ties: bool
) -> None:
    """Where the 256 likeliest tokens do not suffice, the whole row is looked at."""
    logits = torch.randn(vocab, generator=torch.Generator().manual_seed(1))
    if ties:
        logits = logits.round()
    states = [
        SamplingState(SamplingParams(seed=seed, **chosen), [], vocab)  # type: ignore[arg-type]
        for seed in range(200)
    ]
    got = Sampler().sample(logits.expand(200, vocab), [SamplingRow(state) for state in states])
    chances = distribution(logits.double().numpy(), states[0].params)
    for state, one in zip(states, got, strict=True):
        token, margin = drawn(chances, state.uniform())
        assert one.token_id == token or margin < 1e-6
        assert chances[one.token_id] > 0


def test_seeds() -> None:
    logits = torch.zeros(VOCAB)

    def text(seed: int | None, choice: int = 0) -> list[int]:
        state = SamplingState(SamplingParams(seed=seed), [], VOCAB, choice=choice)
        out = []
        for _ in range(30):
            out.append(sample_one(logits, state).token_id)
            state.append(out[-1])
        return out

    assert text(1) == text(1)
    assert len({tuple(text(1)), tuple(text(2)), tuple(text(1, choice=1))}) == 3
    assert text(None) != text(None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("chosen", [{"temperature": 0.0}, {"top_p": 0.9}, {"top_logprobs": 3}])
def test_what_is_no_number_fails_its_own_row(bad: float, chosen: dict[str, float]) -> None:
    logits = torch.randn(4, VOCAB)
    clean = [SamplingRow(SamplingState(SamplingParams(seed=3, **chosen), [], VOCAB))] * 4  # type: ignore[arg-type]
    before = Sampler().sample(logits, clean)
    logits[1, 7] = bad
    logits[2] = -math.inf
    after = Sampler().sample(logits, clean)
    assert [after[0], after[3]] == [before[0], before[3]]
    for row in (1, 2):
        assert isinstance(after[row].error, NumericalError)
        assert after[row].token_id == -1
        assert after[row].logprobs is None


def test_extreme_parameters_stay_numbers() -> None:
    logits = torch.tensor([3.0, 2.0, -1.0, 0.0])
    for chosen in (
        SamplingParams(temperature=1e-45, seed=1),
        SamplingParams(temperature=100.0, seed=1),
        SamplingParams(repetition_penalty=1e-300, seed=1),
        SamplingParams(repetition_penalty=1e300, seed=1),
        SamplingParams(logit_bias={0: 1e308, 1: -1e308}, seed=1),
        SamplingParams(top_p=1e-300, seed=1),
        SamplingParams(min_p=1.0, seed=1),
    ):
        got = sample_one(logits, SamplingState(chosen, [0, 1, 2, 3], 4))
        assert got.error is None
    assert sample_one(logits, SamplingState(SamplingParams(min_p=1.0), [], 4)).token_id == 0
    assert sample_one(logits, SamplingState(SamplingParams(top_p=1e-9), [], 4)).token_id == 0


@settings(max_examples=50, deadline=None)
@given(row=logit_rows, case=states())
def test_logprobs_are_the_model_s_own(
    row: list[float], case: tuple[SamplingState, list[int]]
) -> None:
    state, _ = case
    got = sample_one(torch.tensor(row), state)
    wanted = torch.tensor(row, dtype=torch.float64).log_softmax(-1)
    if state.params.top_logprobs is None:
        assert got.logprobs is None
        return
    assert got.logprobs is not None
    assert got.logprobs.chosen.token_id == got.token_id
    pairs = [got.logprobs.chosen, *got.logprobs.top]
    for token, value in pairs:
        assert value == pytest.approx(float(wanted[token]), abs=1e-4, rel=1e-5)
    assert len(got.logprobs.top) == state.params.top_logprobs
    values = [value for _, value in got.logprobs.top]
    assert values == sorted(values, reverse=True)
    if values:
        assert values[0] == pytest.approx(float(wanted.max()), abs=1e-4)


def test_logits_are_left_as_they_are() -> None:
    logits = torch.randn(2, VOCAB)
    before = logits.clone()
    chosen = SamplingParams(repetition_penalty=2.0, logit_bias={1: 5.0}, top_k=3, temperature=0.5)
    Sampler().sample(logits, [SamplingRow(SamplingState(chosen, [1, 2], VOCAB))] * 2)
    assert torch.equal(logits, before)


def test_a_bias_for_a_token_that_does_not_exist() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        SamplingState(SamplingParams(logit_bias={VOCAB: 1.0}), [], VOCAB)
    assert caught.value.parameter == "logit_bias"


def test_no_rows() -> None:
    assert Sampler().sample(torch.empty(0, VOCAB), []) == []
