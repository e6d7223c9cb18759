"""How answers end, and what the pieces say."""

from __future__ import annotations

import asyncio
import doctest
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inference.engine
from inference import Completion, Engine, SamplingParams
from inference.errors import EngineStoppedError, GrammarError, InvalidParameterError, QueueFullError
from inference.outputs import OutputPiece
from inference.requests import GenerationRequest, GrammarSpec
from support.collecting import Collector, submit

SEEDED = SamplingParams(temperature=1.0, seed=11, max_tokens=60, ignore_eos=True)
PROMPT = [20, 30, 40, 50]
_IDS = itertools.count()


@pytest.fixture(scope="module")
def engine(model_folder: Path) -> Iterator[Engine]:
    with Engine.from_pretrained(
        model_folder, device="cpu", kv_cache_bytes=4 << 20, speculation="always"
    ) as engine:
        yield engine


def _pieces(engine: Engine, params: SamplingParams, choice: int = 0) -> list[OutputPiece]:
    collector = Collector()
    request_id = f"request {next(_IDS)}"
    engine.submit(GenerationRequest(request_id, tuple(PROMPT), params, choice), collector.deliver)
    collector.last(request_id)
    return collector.pieces[request_id]


def _answer(engine: Engine, params: SamplingParams, choice: int = 0) -> Completion:
    return Completion.from_pieces(_pieces(engine, params, choice))


def test_length(engine: Engine) -> None:
    answer = _answer(engine, SEEDED)
    assert (answer.finish_reason, answer.stop_reason) == ("length", None)
    assert len(answer.token_ids) == answer.usage.completion_tokens == 60
    assert answer.text == engine.tokenizer.decode(answer.token_ids)


def test_one_token(engine: Engine) -> None:
    answer = _answer(engine, replace(SEEDED, max_tokens=1))
    assert answer.token_ids == _answer(engine, SEEDED).token_ids[:1]
    assert answer.usage.first_token_s > 0.0


def test_the_models_own_end(engine: Engine) -> None:
    (end,) = engine.tokenizer.eos_token_ids
    biased = replace(SEEDED, ignore_eos=False, logit_bias={end: 4.0})
    answer = _answer(engine, biased)
    assert (answer.finish_reason, answer.stop_reason) == ("stop", None)
    assert answer.token_ids[-1] == end
    assert end not in answer.token_ids[:-1]
    assert answer.text == engine.tokenizer.decode(answer.token_ids[:-1])
    going_on = _answer(engine, replace(biased, ignore_eos=True))
    assert going_on.finish_reason == "length"
    assert going_on.token_ids[: len(answer.token_ids)] == answer.token_ids


def test_a_stop_token(engine: Engine) -> None:
    whole = _answer(engine, SEEDED)
    stop = whole.token_ids[20]
    answer = _answer(engine, replace(SEEDED, stop_token_ids=(stop,)))
    assert (answer.finish_reason, answer.stop_reason) == ("stop", stop)
    assert answer.token_ids == whole.token_ids[: whole.token_ids.index(stop) + 1]
    assert answer.text == engine.tokenizer.decode(answer.token_ids[:-1])


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 80), length=st.integers(1, 9), seed=st.integers(0, 3))
def test_a_stop_string_ends_the_answer_and_never_leaks(
    engine: Engine, start: int, length: int, seed: int
) -> None:
    params = replace(SEEDED, seed=seed)
    whole = _answer(engine, params)
    stop = whole.text[start : start + length]
    if not stop:
        return
    pieces = _pieces(engine, replace(params, stop=(stop, "never to be seen")))
    answer = Completion.from_pieces(pieces)
    if answer.finish_reason == "length":  # part of an unfinished character, seen only at the end
        assert "\ufffd" in stop
        return
    assert (answer.finish_reason, answer.stop_reason) == ("stop", stop)
    assert answer.text == whole.text[: whole.text.index(stop)]
    shown = ""
    for piece in pieces:
        shown += piece.text
        assert stop not in shown


@pytest.mark.parametrize("max_tokens", [7, 20])
def test_held_back_text_comes_with_the_end(engine: Engine, max_tokens: int) -> None:
    params = replace(SEEDED, max_tokens=max_tokens)
    whole = _answer(engine, params)
    answer = _answer(engine, replace(params, stop=(whole.text[-1] + "\x00never",)))
    assert (answer.text, answer.finish_reason) == (whole.text, "length")


def test_logprobs_come_with_their_tokens(engine: Engine) -> None:
    for piece in _pieces(engine, replace(SEEDED, top_logprobs=3)):
        assert len(piece.logprobs) == len(piece.token_ids)
        for token_id, logprobs in zip(piece.token_ids, piece.logprobs, strict=True):
            assert logprobs.chosen.token_id == token_id
            assert len(logprobs.top) == 3
            assert logprobs.chosen.logprob <= logprobs.top[0].logprob <= 0.0
    assert all(not piece.logprobs for piece in _pieces(engine, SEEDED))


def test_seeds_and_choices(engine: Engine) -> None:
    first, again, other_choice, other_seed = (
        _answer(engine, SEEDED).token_ids,
        _answer(engine, SEEDED).token_ids,
        _answer(engine, SEEDED, choice=1).token_ids,
        _answer(engine, replace(SEEDED, seed=12)).token_ids,
    )
    assert first == again
    assert len({first, other_choice, other_seed}) == 3
    unseeded = replace(SEEDED, seed=None)
    assert _answer(engine, unseeded).token_ids != _answer(engine, unseeded).token_ids


def test_several_answers_share_their_prompt(engine: Engine) -> None:
    collector = Collector()
    before = engine.stats()
    prompt = [7, 9] * 60
    for choice in range(4):
        request = GenerationRequest(f"n {choice}", tuple(prompt), SEEDED, choice)
        engine.submit(request, collector.deliver)
    texts = {collector.completion(f"n {choice}").token_ids for choice in range(4)}
    assert len(texts) == 4
    assert all(piece.choice == 2 for piece in collector.pieces["n 2"])
    after = engine.stats()
    assert after.prompt_tokens - before.prompt_tokens == 480
    assert after.cached_tokens - before.cached_tokens == 3 * 112


def test_usage(engine: Engine) -> None:
    prompt = [3, 1, 4, 1, 5, 9, 2, 6] * 10
    first, second = (engine.generate([prompt], SEEDED)[0].usage for _ in range(2))
    assert (first.prompt_tokens, first.cached_tokens) == (80, 0)
    assert second.cached_tokens == 64
    assert 0.0 <= second.queued_s <= second.first_token_s <= second.total_s


def test_generate_keeps_the_order_and_mixes_texts_and_tokens(engine: Engine) -> None:
    short, long = replace(SEEDED, max_tokens=2), replace(SEEDED, max_tokens=30)
    answers = engine.generate(["the parrot", PROMPT, "你好"], [long, short, short])
    assert [len(answer.token_ids) for answer in answers] == [30, 2, 2]
    assert engine.generate([], SEEDED) == []


def test_generate_raises_what_went_wrong_and_cancels_the_rest(engine: Engine) -> None:
    with pytest.raises(InvalidParameterError):
        engine.generate([PROMPT, []], SEEDED)
    engine.generate([PROMPT], replace(SEEDED, max_tokens=1))
    stats = engine.stats()
    assert (stats.running, stats.waiting) == (0, 0)


def test_generate_takes_more_prompts_than_may_wait(model_folder: Path) -> None:
    with Engine.from_pretrained(
        model_folder, device="cpu", kv_cache_bytes=1 << 20, max_batch=2, max_waiting=3
    ) as engine:
        answers = engine.generate([[index] for index in range(20)], replace(SEEDED, max_tokens=3))
        assert len(answers) == 20


async def test_stream(engine: Engine) -> None:
    pieces = [piece async for piece in engine.stream(PROMPT, SEEDED)]
    assert Completion.from_pieces(pieces).token_ids == _answer(engine, SEEDED).token_ids


async def test_leaving_a_stream_cancels_it(engine: Engine) -> None:
    endless = replace(SEEDED, max_tokens=900)
    stream = engine.stream(PROMPT, endless)
    async for _ in stream:
        break
    await stream.aclose()
    task = asyncio.create_task(_consume(engine, endless))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        while engine.stats().running:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)


async def _consume(engine: Engine, params: SamplingParams) -> None:
    async for _ in engine.stream(PROMPT, params):
        pass


async def test_a_stream_that_ended_leaves_the_next_request_of_its_id_alone(engine: Engine) -> None:
    params = SamplingParams(temperature=0.0, max_tokens=400, ignore_eos=True)
    first = engine.stream([1, 2], replace(params, max_tokens=1), request_id="same")
    assert (await anext(first)).finish_reason == "length"
    second = engine.stream([1, 2], params, request_id="same")
    await anext(second)
    await first.aclose()
    assert [piece async for piece in second][-1].finish_reason == "length"


async def test_a_stream_whose_engine_closes_ends_with_the_error(model_folder: Path) -> None:
    engine = Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=4 << 20)
    pieces = []
    async for piece in engine.stream(PROMPT, replace(SEEDED, max_tokens=900)):
        pieces.append(piece)
        if len(pieces) == 3:
            await asyncio.to_thread(engine.close)
    assert isinstance(pieces[-1].error, EngineStoppedError)
    with pytest.raises(EngineStoppedError):
        await anext(engine.stream(PROMPT, SEEDED))


async def test_a_stream_is_refused_when_the_queue_is_full(model_folder: Path) -> None:
    with Engine.from_pretrained(
        model_folder, device="cpu", kv_cache_bytes=4 << 20, max_batch=1, max_waiting=1
    ) as engine:
        collector = Collector()
        submit(engine, collector, "a", PROMPT, replace(SEEDED, max_tokens=900))
        collector.wait_for_tokens("a")
        submit(engine, collector, "b", PROMPT, SEEDED)
        with pytest.raises(QueueFullError):
            await anext(engine.stream(PROMPT, SEEDED))
        engine.cancel("a")
        collector.last("b")


def test_the_example_of_the_module_runs(model_folder: Path) -> None:
    example = doctest.DocTestParser().get_doctest(
        inference.engine.__doc__ or "", {"folder": model_folder}, "engine", None, None
    )
    result = doctest.DocTestRunner().run(example)
    assert result.attempted == 3
    assert result.failed == 0


def test_importing_the_package_imports_no_torch() -> None:
    import subprocess
    import sys

    script = "import sys, inference; assert 'torch' not in sys.modules; inference.SamplingParams"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("speculation", ["always", "never"])
def test_a_grammar_holds(model_folder: Path, speculation: str) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "word": {"enum": ["whale", "ship"]}},
        "required": ["n", "word"],
        "additionalProperties": False,
    }
    grammar = GrammarSpec("json_schema", json.dumps(schema))
    options: Any = {"device": "cpu", "kv_cache_bytes": 4 << 20, "speculation": speculation}
    with Engine.from_pretrained(model_folder, **options) as engine:
        answers = engine.generate(
            [PROMPT] * 6,
            [
                SamplingParams(seed=seed, grammar=grammar, max_tokens=200, ignore_eos=False)
                for seed in range(6)
            ],
        )
    for answer in answers:
        if answer.finish_reason == "stop":
            assert json.loads(answer.text)["word"] in ("whale", "ship")
    assert any(answer.finish_reason == "stop" for answer in answers)


def test_a_grammar_that_is_none_is_refused(engine: Engine) -> None:
    with pytest.raises(GrammarError):
        _answer(engine, replace(SEEDED, grammar=GrammarSpec("regex", "(")))
