"""What goes wrong ends the requests it concerns, each with one last piece, and no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from inference.engine import Engine
from inference.errors import (
    EngineError,
    EngineStoppedError,
    InvalidParameterError,
    NumericalError,
    PromptTooLongError,
    QueueFullError,
)
from inference.outputs import OutputPiece
from inference.requests import GenerationRequest, SamplingParams
from inference.runner.greedy import greedy_tokens
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from inference.scheduling.scheduler import Scheduler
from inference.text.stream_decoder import StreamDecoder
from support.collecting import Collector, submit

LONG = SamplingParams(temperature=0.0, max_tokens=400, ignore_eos=True)
SHORT = SamplingParams(temperature=0.0, max_tokens=5, ignore_eos=True)
CURSED = 7  # a token that makes the model fail in these tests


@pytest.fixture
def engine(model_folder: Path) -> Iterator[Engine]:
    with Engine.from_pretrained(
        model_folder, device="cpu", kv_cache_bytes=4 << 20, max_batch=4, max_waiting=3
    ) as engine:
        yield engine


def _assert_sound(engine: Engine) -> None:
    """The engine still answers, and every block came back."""
    (completion,) = engine.generate([[1, 2, 3]], SHORT)
    assert len(completion.token_ids) == 5
    _assert_idle(engine)


def _assert_idle(engine: Engine) -> None:
    stats = engine.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.blocks_free + stats.blocks_cached == stats.blocks_total


def test_nan_fails_one_request_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ModelRunner._run

    def run_with_nan(
        runner: ModelRunner, slices: Sequence[SequenceSlice], *, greedy: bool
    ) -> torch.Tensor:
        logits = run(runner, slices, greedy=False).clone()
        row = 0
        for piece in slices:
            if CURSED in piece.token_ids:
                logits[row : row + piece.logit_rows] = torch.nan
            row += piece.logit_rows
        return greedy_tokens(logits) if greedy else logits

    healthy = engine.generate([[1, 2, 3]], SHORT)
    with monkeypatch.context() as patched:
        patched.setattr(ModelRunner, "_run", run_with_nan)
        collector = Collector()
        submit(engine, collector, "well", [1, 2, 3], SHORT)
        submit(engine, collector, "ill", [CURSED] * 40, SHORT)
        last = collector.last("ill")
        assert last.finish_reason == "error"
        assert isinstance(last.error, NumericalError)
        assert last.usage is not None
        assert last.usage.prompt_tokens == 40
        assert collector.completion("well").token_ids == healthy[0].token_ids
    (again,) = engine.generate([[CURSED] * 40], SHORT)
    assert again.usage.cached_tokens == 0, "what failed must not be shared"
    _assert_sound(engine)


@pytest.mark.expects_logs
def test_a_bug_in_a_step_fails_the_requests_of_that_step(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ModelRunner._run

    def run_with_bug(
        runner: ModelRunner, slices: Sequence[SequenceSlice], *, greedy: bool
    ) -> torch.Tensor:
        if any(CURSED in piece.token_ids for piece in slices):
            raise ZeroDivisionError("a bug")
        return run(runner, slices, greedy=greedy)

    monkeypatch.setattr(ModelRunner, "_run", run_with_bug)
    collector = Collector()
    submit(engine, collector, "in the step", [1, 2], LONG)
    collector.wait_for_tokens("in the step")
    submit(engine, collector, "cause", [CURSED], SHORT)
    for request_id in ("in the step", "cause"):
        error = collector.last(request_id).error
        assert isinstance(error, EngineError)
        assert isinstance(error.__cause__, ZeroDivisionError)
        assert "a bug" in str(error)
    _assert_sound(engine)


@pytest.mark.expects_logs
def test_a_step_that_cannot_be_planned_fails_and_the_engine_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def schedule(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(Scheduler, "schedule", schedule)
        collector = Collector()
        submit(engine, collector, "a", [1], SHORT)
        assert collector.last("a").finish_reason == "error"
    _assert_sound(engine)


@pytest.mark.expects_logs
def test_a_text_that_cannot_be_decoded_fails_one_request_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    push, flush = StreamDecoder.push, StreamDecoder.flush
    broken: list[StreamDecoder] = []

    def push_once(decoder: StreamDecoder, token_ids: Sequence[int]) -> str:
        if not broken:
            broken.append(decoder)
            raise ZeroDivisionError("a bug")
        return push(decoder, token_ids)

    def flush_unless_broken(decoder: StreamDecoder) -> str:
        if decoder in broken:
            raise ZeroDivisionError("the same bug")
        return flush(decoder)

    monkeypatch.setattr(StreamDecoder, "push", push_once)
    monkeypatch.setattr(StreamDecoder, "flush", flush_unless_broken)
    collector = Collector()
    submit(engine, collector, "ill", [1, 2], SHORT)
    error = collector.last("ill").error
    assert isinstance(error, EngineError)
    assert "a bug" in str(error)
    _assert_sound(engine)


@pytest.mark.expects_logs
def test_a_receiver_that_raises_is_cancelled(engine: Engine) -> None:
    pieces: list[OutputPiece] = []
    ended = threading.Event()

    def deliver(piece: OutputPiece) -> None:
        pieces.append(piece)
        if piece.finish_reason is not None:
            ended.set()
        raise RuntimeError("the receiver is gone")

    collector = Collector()
    submit(engine, collector, "other", [4, 5], SHORT)
    engine.submit(GenerationRequest("gone", (1, 2), LONG), deliver)
    assert ended.wait(60)
    assert [piece.finish_reason for piece in pieces] == [None, "cancelled"]
    assert len(collector.completion("other").token_ids) == 5
    _assert_sound(engine)


def test_cancelling_ends_a_request_wherever_it_stands(engine: Engine) -> None:
    collector = Collector()
    for index in range(6):
        submit(engine, collector, f"{index}", [index + 1] * 20, LONG)
        if index < 4:
            collector.wait_for_tokens(f"{index}")
    engine.cancel("5")  # waits
    engine.cancel("1")  # runs
    engine.cancel("no such request")
    for request_id in ("5", "1"):
        assert collector.last(request_id).finish_reason == "cancelled"
    for request_id in ("0", "2", "3", "4"):
        engine.cancel(request_id)
        engine.cancel(request_id)
        last = collector.last(request_id)
        assert last.finish_reason == "cancelled"
        assert last.usage is not None
        assert last.usage.completion_tokens == sum(
            len(piece.token_ids) for piece in collector.pieces[request_id]
        )
    _assert_sound(engine)


def test_cancelling_in_the_middle_of_a_prompt_frees_its_blocks(model_folder: Path) -> None:
    with Engine.from_pretrained(
        model_folder, device="cpu", kv_cache_bytes=4 << 20, max_batch=4, max_step_tokens=8
    ) as engine:
        collector = Collector()
        submit(engine, collector, "long", [3] * 900, SHORT)
        steps = engine.stats().steps
        while engine.stats().steps < steps + 3:
            pass
        engine.cancel("long")
        last = collector.last("long")
        assert last.finish_reason == "cancelled"
        assert engine.stats().steps < 900 // 8
        _assert_idle(engine)


def test_a_full_queue_is_refused_with_a_time_to_come_again(engine: Engine) -> None:
    collector = Collector()
    for index in range(4):
        submit(engine, collector, f"{index}", [index + 1], LONG)
        collector.wait_for_tokens(f"{index}")
    for index in range(4, 7):
        submit(engine, collector, f"{index}", [index + 1], SHORT)
    with pytest.raises(QueueFullError) as refusal:
        submit(engine, collector, "one too many", [1], SHORT)
    assert 1.0 <= refusal.value.retry_after_s <= 60.0
    stats = engine.stats()
    assert (stats.running, stats.waiting, stats.queue_limit) == (4, 3, 3)
    for index in range(4):
        engine.cancel(f"{index}")
    for index in range(4, 7):
        assert collector.completion(f"{index}").finish_reason == "length"
    _assert_sound(engine)


def test_requests_that_are_wrong_are_refused_at_once(engine: Engine) -> None:
    collector = Collector()
    with pytest.raises(InvalidParameterError, match="at least one token"):
        submit(engine, collector, "a", [], SHORT)
    for token_id in (-1, engine.config.vocab_size):
        with pytest.raises(InvalidParameterError, match="token ids"):
            submit(engine, collector, "a", [1, token_id], SHORT)
    with pytest.raises(InvalidParameterError, match="logit_bias"):
        submit(engine, collector, "a", [1], SamplingParams(logit_bias={100_000: 1.0}))
    with pytest.raises(PromptTooLongError, match=r"1020 tokens.*max_tokens of 5.*1024"):
        submit(engine, collector, "a", [1] * 1020, SHORT)
    submit(engine, collector, "b", [1], LONG)
    with pytest.raises(InvalidParameterError, match="under way"):
        submit(engine, collector, "b", [1], SHORT)
    engine.cancel("b")
    collector.last("b")
    assert not collector.pieces["a"]
    _assert_sound(engine)


def test_a_request_that_never_fits_the_cache_is_refused(model_folder: Path) -> None:
    with Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=100_000) as engine:
        cache_tokens = engine.stats().blocks_total * 16
        assert engine.max_model_len == cache_tokens < 1024
        with pytest.raises(PromptTooLongError, match=f"holds {cache_tokens}"):
            submit(engine, Collector(), "a", [1] * cache_tokens, SHORT)
        everything = SamplingParams(temperature=0.0, ignore_eos=True)
        (completion,) = engine.generate([[1] * 10], everything)
        assert len(completion.token_ids) == cache_tokens - 10
        _assert_idle(engine)


def test_closing_ends_every_open_request(model_folder: Path) -> None:
    engine = Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=4 << 20, max_batch=2)
    collector = Collector()
    for index in range(5):
        submit(engine, collector, f"{index}", [index + 1], LONG)
    collector.wait_for_tokens("0")
    engine.close()
    engine.close()
    for index in range(5):
        last = collector.pieces[f"{index}"][-1]
        assert last.finish_reason == "error"
        assert isinstance(last.error, EngineStoppedError)
        assert sum(piece.finish_reason is not None for piece in collector.pieces[f"{index}"]) == 1
    with pytest.raises(EngineStoppedError):
        submit(engine, collector, "late", [1], SHORT)
    engine.cancel("0")
    _assert_idle(engine)


@pytest.mark.expects_logs
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_fails_for_good_ends_every_open_request(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    collector = Collector()
    for index in range(3):
        submit(engine, collector, f"{index}", [index + 1], LONG)
        collector.wait_for_tokens(f"{index}")
    monkeypatch.setattr(Scheduler, "remove", remove)
    engine.cancel("0")
    assert collector.last("0").finish_reason == "cancelled"
    for index in range(1, 3):
        error = collector.last(f"{index}").error
        assert isinstance(error, EngineStoppedError)
        assert "failed" in str(error)
    engine.close()
    for index in range(3):
        assert sum(piece.finish_reason is not None for piece in collector.pieces[f"{index}"]) == 1
    with pytest.raises(EngineStoppedError):
        submit(engine, collector, "late", [1], SHORT)


def test_closing_from_a_receiver_does_not_hang(model_folder: Path) -> None:
    engine = Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=4 << 20)
    pieces: list[OutputPiece] = []
    ended = threading.Event()

    def deliver(piece: OutputPiece) -> None:
        pieces.append(piece)
        engine.close()
        if piece.finish_reason is not None:
            ended.set()

    engine.submit(GenerationRequest("a", (1,), LONG), deliver)
    assert ended.wait(60)
    assert isinstance(pieces[-1].error, EngineStoppedError)
    engine.close()


@pytest.mark.expects_logs
def test_lost_blocks_are_noticed_when_idle_and_the_cache_begins_anew(engine: Engine) -> None:
    loop = engine._loop
    loop._blocks.open(loop._blocks.new_chain(), 40)
    loop._check_blocks()
    assert loop._blocks.num_free == loop._blocks.num_blocks
    _assert_sound(engine)
