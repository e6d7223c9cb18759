"""What is around CUDA graphs, with kernels interpreted on the CPU; `test_interpreted.py` runs it.

A graph's replay is stood in for by computing again on the same tensors, which is what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch

from inference.attention.batch import lay_out
from inference.models.base import CausalLM
from inference.models.registry import load_model
from inference.runner.decode_graphs import DecodeGraphs
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from support.tiny_llama import write_tiny_llama

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalLM:
    folder = tmp_path_factory.mktemp("tiny_llama")
    write_tiny_llama(folder)
    return load_model(folder, device=CPU, dtype=torch.float32)


def recompute(compute: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    output = compute()

    def replay() -> None:
        for tensor, anew in zip(output, compute(), strict=True):
            tensor.copy_(anew)

    return replay, output


@torch.no_grad()
def test_graphs_compute_what_one_pass_computes(model: CausalLM) -> None:
    random = Random(3)
    runner = ModelRunner(model, num_blocks=33, device=CPU, dtype=torch.float32)
    graphs = DecodeGraphs(
        model, runner.cache, max_model_len=512, scratch_block=32, record=recompute
    )
    for rows in (1, 2, 4, 8):
        assert graphs.record(rows)
    blocks = list(range(32))
    random.shuffle(blocks)
    texts = [[random.randrange(2, 128) for _ in range(length)] for length in (25, 44, 30)]
    tables = [[blocks.pop() for _ in range(4)] for _ in texts]
    done = [19, 40, 12]
    whole = []
    for text, table, start in zip(texts, tables, done, strict=True):
        whole.append(runner.run([SequenceSlice(text, 0, table, len(text))]))
        runner.run([SequenceSlice(text[:start], 0, table, 0)])
    for _ in range(4):
        live = [i for i in range(3) if done[i] < len(texts[i])]
        some = random.sample(live, random.randint(1, len(live)))
        counts = [random.choice([1, 2, 3]) for _ in some]
        layout = lay_out(
            [
                (texts[i][done[i] : done[i] + count], done[i], tables[i])
                for i, count in zip(some, counts, strict=True)
            ],
            block_size=16,
        )
        output = graphs.run(layout)
        assert output is not None
        if len(layout.token_ids) > 8:
            continue
        expected = [
            whole[i][done[i] : done[i] + count] for i, count in zip(some, counts, strict=True)
        ]
        torch.testing.assert_close(output.logits, torch.cat(expected), atol=1e-4, rtol=1e-4)
        assert output.likeliest.tolist() == output.logits.argmax(-1).tolist()
        for i, count in zip(some, counts, strict=True):
            done[i] = min(done[i] + count, len(texts[i]))


@torch.no_grad()
def test_a_size_gets_its_graph_when_it_comes_up_again(model: CausalLM) -> None:
    runner = ModelRunner(model, num_blocks=5, device=CPU, dtype=torch.float32)
    graphs = DecodeGraphs(model, runner.cache, max_model_len=512, scratch_block=4, record=recompute)
    single = lay_out([([5], 0, [0])], block_size=16)
    assert [graphs.run(single) is not None for _ in range(5)] == [False] * 3 + [True] * 2
    chunk = lay_out([([5] * 17, 0, [0, 1])], block_size=16)
    assert all(graphs.run(chunk) is None for _ in range(5))


@pytest.mark.expects_logs
@torch.no_grad()
def test_where_no_memory_is_left_steps_run_plainly(model: CausalLM) -> None:
    def fails(compute: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        raise torch.OutOfMemoryError("none left")

    runner = ModelRunner(model, num_blocks=5, device=CPU, dtype=torch.float32)
    graphs = DecodeGraphs(model, runner.cache, max_model_len=512, scratch_block=4, record=fails)
    assert not graphs.record_next()
    single = lay_out([([5], 0, [0])], block_size=16)
    assert all(graphs.run(single) is None for _ in range(5))
