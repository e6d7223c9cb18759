"""However a text is cut into steps, its logits are those of one pass over the whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from inference.errors import DeviceError
from inference.models.base import CausalLM
from inference.models.registry import load_model
from inference.runner.greedy import greedy_tokens
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from support.tiny_llama import write_tiny_llama

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalLM:
    folder = tmp_path_factory.mktemp("tiny_llama")
    write_tiny_llama(folder)
    return load_model(folder, device=CPU, dtype=torch.float32)


def make_runner(model: CausalLM, num_blocks: int = 64) -> ModelRunner:
    return ModelRunner(model, num_blocks=num_blocks, device=CPU, dtype=torch.float32)


def whole(model: CausalLM, token_ids: Sequence[int]) -> Tensor:
    blocks = range(-(-len(token_ids) // 16))
    runner = make_runner(model, len(blocks))
    return runner.run([SequenceSlice(token_ids, 0, blocks, len(token_ids))])


@dataclass
class Cut:
    """A text that is computed piece by piece."""

    token_ids: list[int]
    blocks: list[int]
    done: int = 0
    logits: list[Tensor] = field(default_factory=list)

    def take(self, count: int) -> SequenceSlice:
        tokens = self.token_ids[self.done : self.done + count]
        piece = SequenceSlice(tokens, self.done, self.blocks, len(tokens))
        self.done += len(tokens)
        return piece


@pytest.mark.parametrize("seed", range(4))
def test_mixed_steps_compute_what_one_pass_computes(model: CausalLM, seed: int) -> None:
    random = Random(seed)
    blocks = list(range(64))
    if seed % 2:
        random.shuffle(blocks)
    texts = []
    for _ in range(5):
        length = random.randint(1, 150)
        needed = -(-length // 16)
        texts.append(Cut([random.randrange(2, 128) for _ in range(length)], blocks[:needed]))
        blocks = blocks[needed:]
    runner = make_runner(model)
    while live := [text for text in texts if text.done < len(text.token_ids)]:
        some = random.sample(live, random.randint(1, len(live)))
        slices = [text.take(random.choice([1, 1, 1, 4, 30])) for text in some]
        rows = runner.run(slices).split([piece.logit_rows for piece in slices])
        for text, logits in zip(some, rows, strict=True):
            text.logits.append(logits)
    for text in texts:
        torch.testing.assert_close(
            torch.cat(text.logits), whole(model, text.token_ids), atol=1e-5, rtol=1e-5
        )


def test_only_the_rows_asked_for_come_back(model: CausalLM) -> None:
    runner = make_runner(model)
    tokens = list(range(2, 42))
    logits = runner.run(
        [
            SequenceSlice(tokens, 0, [0, 1, 2], 0),
            SequenceSlice(tokens, 0, [7, 4, 5], 3),
            SequenceSlice([9], 0, [9], 1),
        ]
    )
    expected = torch.cat([whole(model, tokens)[-3:], whole(model, [9])])
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    none = runner.run([SequenceSlice(tokens, 0, [0, 1, 2], 0)])
    assert none.shape == (0, model.config.vocab_size)


def test_a_step_without_logits_asks_no_head_for_them(
    model: CausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(hidden: Tensor) -> Tensor:
        raise AssertionError(f"{len(hidden)} rows")

    monkeypatch.setattr(model, "logits", refuse)
    slices = [SequenceSlice([1, 2, 3], 0, [0], 0)]
    assert make_runner(model).run(slices).shape == (0, model.config.vocab_size)
    assert make_runner(model).run_greedy(slices) == []


def test_the_greedy_choice(model: CausalLM) -> None:
    runner = make_runner(model)
    slices = [SequenceSlice([3, 4, 5], 0, [0], 2), SequenceSlice([9], 0, [9], 1)]
    assert runner.run_greedy(slices) == runner.run(slices).argmax(-1).tolist()


def test_a_choice_among_what_is_not_a_number() -> None:
    nan, inf = float("nan"), float("inf")
    logits = torch.tensor([[1.0, 3.0, 3.0], [nan, 1.0, 2.0], [inf, 1.0, 2.0], [-inf, 1.0, 0.0]])
    assert greedy_tokens(logits).tolist() == [1, -1, -1, 1]


def test_a_shared_prefix_is_computed_once(model: CausalLM) -> None:
    runner = make_runner(model)
    prefix = [5, 9, 33, 2] * 8
    runner.run([SequenceSlice(prefix, 0, [11, 3], 0)])
    first, second = [7, 8, 9], [100, 50]
    logits = runner.run(
        [
            SequenceSlice(first, 32, [11, 3, 20], 1),
            SequenceSlice(second, 32, [11, 3, 21], 1),
        ]
    )
    expected = [whole(model, prefix + first)[-1], whole(model, prefix + second)[-1]]
    torch.testing.assert_close(logits, torch.stack(expected), atol=1e-5, rtol=1e-5)


def test_the_caller_may_write_to_the_logits(model: CausalLM) -> None:
    logits = make_runner(model).run([SequenceSlice([3], 0, [0], 1)])
    logits[0, 5] = float("-inf")
    assert logits[0, 5].item() == float("-inf")


def test_a_cache_that_does_not_fit_is_a_device_error(model: CausalLM) -> None:
    with pytest.raises(DeviceError, match="no room"):
        make_runner(model, num_blocks=2**40)


def test_a_step_that_runs_out_of_memory_is_a_device_error(model: CausalLM) -> None:
    runner = make_runner(model)
    piece = SequenceSlice([3], 0, [0], 1)
    too_much = model.register_forward_pre_hook(lambda *_: torch.empty(2**60))
    with pytest.raises(DeviceError, match=r"ran out of memory in a step of 1 tokens: .*allocate"):
        runner.run([piece])
    too_much.remove()
    assert runner.run([piece]).isfinite().all()


@pytest.mark.corpus
def test_the_golden_story_decoded_step_by_step(corpus: Path) -> None:
    folder = corpus / "models" / "stories260K"
    golden = json.loads((folder / "golden_greedy.json").read_text())["greedy_token_ids"]
    story = load_model(folder / "hf", device=CPU, dtype=torch.float32)
    runner = make_runner(story)
    blocks = list(range(40, 30, -1))
    written = golden[:5]
    logits = runner.run([SequenceSlice(written, 0, blocks, 1)])
    while len(written) < len(golden):
        written.append(int(logits[-1].argmax()))
        logits = runner.run([SequenceSlice(written[-1:], len(written) - 1, blocks, 1)])
    assert written == golden
