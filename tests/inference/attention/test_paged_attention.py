"""Attention over the paged cache against plain attention over whole sequences."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inference.attention.batch import lay_out
from inference.attention.interface import AttentionSpec
from inference.attention.sdpa import SdpaAttention
from inference.kv_cache.cache import KVCache
from support.dense_attention import dense_attention

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """Sequences with what is cached of each and what a step adds."""

    spec: AttentionSpec
    block_size: int
    past: tuple[int, ...]
    count: tuple[int, ...]
    contiguous: bool
    padded: bool
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    num_kv_heads = draw(st.sampled_from([1, 2, 3]))
    head_dim = draw(st.sampled_from([4, 8, 20]))
    sequences = draw(st.integers(1, 4))
    return Case(
        spec=AttentionSpec(
            layer=draw(st.integers(0, 1)),
            num_heads=num_kv_heads * draw(st.sampled_from([1, 2, 5])),
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            scale=draw(st.sampled_from([head_dim**-0.5, 0.3])),
            sliding_window=draw(st.none() | st.integers(1, 40)),
            logit_softcap=draw(st.none() | st.sampled_from([0.5, 30.0])),
        ),
        block_size=draw(st.sampled_from([1, 4, 16])),
        past=tuple(draw(st.integers(0, 50)) for _ in range(sequences)),
        count=tuple(draw(st.sampled_from([1, 1, 2, 5, 17, 40])) for _ in range(sequences)),
        contiguous=draw(st.booleans()),
        padded=draw(st.sampled_from([False, False, True])),
        seed=draw(st.integers(0, 1000)),
    )


def _block_tables(case: Case, generator: torch.Generator) -> list[list[int]]:
    needs = [
        -(-(past + count) // case.block_size)
        for past, count in zip(case.past, case.count, strict=True)
    ]
    total = sum(needs) + 3
    order = (
        list(range(total))
        if case.contiguous
        else torch.randperm(total, generator=generator).tolist()
    )
    tables = []
    for need in needs:
        tables.append(order[:need])
        order = order[need:]
    return tables


@settings(deadline=None, max_examples=150)
@given(cases())
def test_paged_attention_equals_plain_attention(case: Case) -> None:
    _check(case, torch.float32, torch.float32, tolerance=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@settings(deadline=None, max_examples=25)
@given(case=cases())
def test_half_precision(dtype: torch.dtype, case: Case) -> None:
    _check(case, dtype, dtype, tolerance=0.06)


@settings(deadline=None, max_examples=25)
@given(case=cases())
def test_a_cache_in_half_precision_under_float32(case: Case) -> None:
    _check(case, torch.float32, torch.bfloat16, tolerance=0.06)


def _check(case: Case, dtype: torch.dtype, cache_dtype: torch.dtype, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(case.seed)
    tables = _block_tables(case, generator)
    num_blocks = max(block for table in tables for block in table) + 1
    spec = case.spec
    cache = KVCache(
        [spec, spec],
        num_blocks=num_blocks,
        block_size=case.block_size,
        dtype=cache_dtype,
        device=CPU,
    )
    for tensor in (*cache.keys, *cache.values):  # what was never written must never be seen
        tensor.fill_(float("nan"))
    backend = SdpaAttention(cache, padded=case.padded)

    def random(rows: int, heads: int) -> Tensor:
        return torch.randn(rows, heads, spec.head_dim, generator=generator).to(dtype)

    lengths = [past + count for past, count in zip(case.past, case.count, strict=True)]
    keys = [random(length, spec.num_kv_heads) for length in lengths]
    values = [random(length, spec.num_kv_heads) for length in lengths]
    queries = [random(length, spec.num_heads) for length in lengths]

    def step(first: list[int], last: list[int]) -> Tensor:
        live = [i for i in range(len(first)) if last[i] > first[i]]
        batch = lay_out(
            [([7] * (last[i] - first[i]), first[i], tables[i]) for i in live],
            block_size=case.block_size,
        ).on(CPU)

        def rows(tensors: list[Tensor]) -> Tensor:
            return torch.cat([tensors[i][first[i] : last[i]] for i in live])

        return backend.begin(batch).attend(spec, rows(queries), rows(keys), rows(values))

    if any(case.past):
        step([0] * len(lengths), list(case.past))
    output = step(list(case.past), lengths)
    expected = torch.cat(
        [
            dense_attention(spec, queries[i][case.past[i] :], keys[i], values[i])
            for i in range(len(lengths))
        ]
    )
    assert output.dtype == dtype
    torch.testing.assert_close(output.double(), expected, atol=tolerance, rtol=tolerance)
