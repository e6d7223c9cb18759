"""The same request gives the same tokens, however it is computed and whatever else is there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.engine import Engine
from inference.requests import SamplingParams
from support.collecting import Collector, submit

VOCAB = 400
GREEDY = SamplingParams(temperature=0.0, max_tokens=24, ignore_eos=True)
SEEDED = SamplingParams(
    temperature=0.8,
    top_p=0.95,
    top_k=50,
    seed=7,
    max_tokens=24,
    ignore_eos=True,
    repetition_penalty=1.1,
    frequency_penalty=0.1,
)
# Answers of three different tokens only, in which something always repeats itself.
FEW_TOKENS = SamplingParams(
    temperature=0.5, seed=3, max_tokens=60, logit_bias={50: 99.0, 51: 99.0, 52: 99.0}
)
Answers = list[tuple[int, ...]]


def _prompts(count: int) -> list[list[int]]:
    """Prompts of 1 to 150 tokens; some begin alike, and some repeat themselves."""
    draw = random.Random(1)
    opening = [draw.randrange(VOCAB) for _ in range(100)]
    prompts = []
    for index in range(count):
        length = draw.choice([1, 15, 16, 17, 33, 64, 150])
        own = [draw.randrange(VOCAB) for _ in range(length)]
        kind = index % 3
        prompts.append(own if kind == 0 else opening + own[:40] if kind == 1 else own[:20] * 4)
    return prompts


PROMPTS = _prompts(8)


def _engine(folder: Path, **options: Any) -> Engine:
    defaults = {"device": "cpu", "kv_cache_bytes": 4 << 20, "speculation": "never"}
    return Engine.from_pretrained(folder, **defaults | options)


def _answers(engine: Engine, params: SamplingParams) -> Answers:
    return [completion.token_ids for completion in engine.generate(PROMPTS, params)]


@pytest.fixture(
    scope="module", params=[GREEDY, SEEDED, FEW_TOKENS], ids=["greedy", "seeded", "few"]
)
def params(request: pytest.FixtureRequest) -> SamplingParams:
    found: SamplingParams = request.param
    return found


@pytest.fixture(scope="module")
def alone(model_folder: Path, params: SamplingParams) -> Answers:
    """Each prompt by itself, whole, with nothing cached."""
    with _engine(model_folder, share_prefixes=False, max_step_tokens=1024) as engine:
        return [engine.generate([prompt], params)[0].token_ids for prompt in PROMPTS]


def test_in_a_batch(model_folder: Path, params: SamplingParams, alone: Answers) -> None:
    with _engine(model_folder) as engine:
        assert _answers(engine, params) == alone


def test_in_chunks(model_folder: Path, params: SamplingParams, alone: Answers) -> None:
    with _engine(model_folder, max_step_tokens=9, max_batch=4) as engine:
        assert _answers(engine, params) == alone


def test_from_the_prefix_cache(model_folder: Path, params: SamplingParams, alone: Answers) -> None:
    with _engine(model_folder) as engine:
        _answers(engine, params)
        before = engine.stats().cached_tokens
        assert _answers(engine, params) == alone
        assert engine.stats().cached_tokens - before > 500


def test_with_speculation(model_folder: Path, params: SamplingParams, alone: Answers) -> None:
    with _engine(model_folder, speculation="always") as engine:
        assert _answers(engine, params) == alone
        stats = engine.stats()
    if params is FEW_TOKENS:
        assert 0 < stats.accepted_tokens < stats.drafted_tokens


def test_speculation_alone(model_folder: Path, params: SamplingParams, alone: Answers) -> None:
    with _engine(model_folder, speculation="always", share_prefixes=False) as engine:
        for prompt, wanted in zip(PROMPTS[:3], alone, strict=False):
            (completion,) = engine.generate([prompt], params)
            assert completion.token_ids == wanted
            if params is FEW_TOKENS:
                assert 0 < completion.usage.accepted_tokens < completion.usage.drafted_tokens


@pytest.mark.parametrize("speculation", ["never", "always"])
def test_after_preemptions(
    model_folder: Path, params: SamplingParams, alone: Answers, speculation: str
) -> None:
    blocks = 14
    with _engine(
        model_folder, kv_cache_bytes=blocks * _block_bytes(model_folder), speculation=speculation
    ) as engine:
        assert _answers(engine, params) == alone
        assert engine.stats().preemptions > 0


def _block_bytes(folder: Path) -> int:
    with _engine(folder, kv_cache_bytes=1 << 20) as engine:
        return (1 << 20) // engine.stats().blocks_total


def test_among_others_that_join_and_leave(
    model_folder: Path, params: SamplingParams, alone: Answers
) -> None:
    draw = random.Random(2)
    everything_else = [
        SamplingParams(temperature=0.0, max_tokens=5),
        SamplingParams(temperature=1.5, seed=3, max_tokens=50, min_p=0.02),
        SamplingParams(temperature=1.0, max_tokens=33, top_logprobs=3, presence_penalty=1.0),
        SamplingParams(temperature=0.0, max_tokens=60, logit_bias={5: 3.0}, ignore_eos=True),
    ]
    with _engine(model_folder, max_batch=32, speculation="always") as engine:
        collector = Collector()
        for index in range(40):
            prompt = [draw.randrange(VOCAB) for _ in range(draw.randrange(1, 90))]
            submit(engine, collector, f"other {index}", prompt, draw.choice(everything_else))
            if index % 5 == 0:
                ours = index // 5
                submit(engine, collector, f"ours {ours}", PROMPTS[ours], params)
            if index % 4 == 3:
                collector.wait_for_tokens(f"other {index - 2}")
                engine.cancel(f"other {index - 2}")
        for ours, wanted in enumerate(alone):
            assert collector.completion(f"ours {ours}").token_ids == wanted
        for index in range(40):
            assert collector.last(f"other {index}").error is None


@pytest.fixture(scope="module")
def stories(corpus: Path) -> Iterator[Engine]:
    with _engine(corpus / "models" / "stories260K" / "hf", speculation="always") as engine:
        yield engine


@pytest.mark.corpus
def test_real_weights(corpus: Path, params: SamplingParams, stories: Engine) -> None:
    folder = corpus / "models" / "stories260K" / "hf"
    story = "Once upon a time, there was a little girl named Lily. She loved to play outside. "
    texts = ["Once upon a time", story + "The big dog said hi. " + story + "The", story * 2]
    longer = replace(params, max_tokens=80)
    with _engine(folder, share_prefixes=False) as engine:
        plain = [engine.generate([text], longer)[0].token_ids for text in texts]
    together = stories.generate(texts, longer)
    assert [completion.token_ids for completion in together] == plain
    if params is GREEDY:
        assert sum(completion.usage.accepted_tokens for completion in together) > 0


@pytest.mark.slow
def test_a_thousand_requests(model_folder: Path) -> None:
    draw = random.Random(5)
    requests = [
        (
            [draw.randrange(VOCAB) for _ in range(draw.randrange(1, 200))],
            replace(draw.choice([GREEDY, SEEDED]), seed=index, max_tokens=draw.randrange(1, 60)),
        )
        for index in range(1000)
    ]
    prompts, each = [prompt for prompt, _ in requests], [params for _, params in requests]
    with _engine(model_folder, share_prefixes=False) as engine:
        plain = [engine.generate([prompt], params)[0].token_ids for prompt, params in requests]
    with _engine(model_folder, speculation="always", kv_cache_bytes=1 << 20) as engine:
        together = [completion.token_ids for completion in engine.generate(prompts, each)]
    assert together == plain
