"""Triton's kernels against plain attention; `test_interpreted.py` runs it in the interpreter."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.attention.interface import AttentionSpec
from inference.kernels.cache_write import write_cache
from inference.kernels.paged_decode import PagedRows, paged_decode
from support.dense_attention import dense_attention

DTYPES = {torch.float32: 1e-5, torch.float16: 5e-3}


@dataclass(frozen=True)
class Case:
    spec: AttentionSpec
    block_size: int
    lengths: tuple[int, ...]
    splits: int
    dtype: torch.dtype
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kv_heads = draw(st.sampled_from([1, 3]))
    head_dim = draw(st.sampled_from([8, 20, 64]))
    return Case(
        spec=AttentionSpec(
            layer=0,
            num_heads=kv_heads * draw(st.sampled_from([1, 4, 5])),
            num_kv_heads=kv_heads,
            head_dim=head_dim,
            scale=head_dim**-0.5,
            sliding_window=draw(st.none() | st.integers(1, 150)),
            logit_softcap=draw(st.none() | st.sampled_from([0.5, 30.0])),
        ),
        block_size=draw(st.sampled_from([4, 16])),
        lengths=tuple(draw(st.lists(st.integers(1, 200), min_size=1, max_size=2))),
        splits=draw(st.sampled_from([1, 2, 3, 8])),
        dtype=draw(st.sampled_from(list(DTYPES))),
        seed=draw(st.integers(0, 1000)),
    )


@settings(deadline=None, max_examples=12)
@given(cases())
def test_paged_decode_equals_plain_attention(case: Case) -> None:
    generator = torch.Generator().manual_seed(case.seed)
    spec, size = case.spec, case.block_size
    needs = [-(-length // size) for length in case.lengths]
    order = torch.randperm(sum(needs) + 2, generator=generator).tolist()
    shape = (len(order) * size, spec.num_kv_heads, spec.head_dim)
    keys = torch.full(shape, float("nan"), dtype=case.dtype)
    values = keys.clone()
    tables = torch.zeros(len(needs), max(needs), dtype=torch.int32)
    query = torch.randn(len(needs), spec.num_heads, spec.head_dim, generator=generator)
    query = query.to(case.dtype)
    expected = []
    for row, (need, length) in enumerate(zip(needs, case.lengths, strict=True)):
        blocks, order = order[:need], order[need:]
        tables[row, :need] = torch.tensor(blocks)
        slots = [blocks[at // size] * size + at % size for at in range(length)]
        key, value = torch.randn(2, length, *shape[1:], generator=generator).to(case.dtype)
        keys[slots], values[slots] = key, value
        expected.append(dense_attention(spec, query[row : row + 1], key, value))
    rows = PagedRows(tables, torch.tensor(case.lengths) - 1, size)
    output = paged_decode(spec, query, keys, values, rows, case.splits)
    tolerance = DTYPES[case.dtype]
    torch.testing.assert_close(output.double(), torch.cat(expected), atol=tolerance, rtol=tolerance)


def test_the_cache_is_written_in_the_slots_and_nowhere_else() -> None:
    keys, values = torch.zeros(64, 2, 20), torch.zeros(64, 2, 20)
    heads = torch.randn(3, 8, 20)
    slots = torch.tensor([5, 63, 17])
    write_cache(keys, values, slots, heads[:, 4:6], heads[:, 6:])
    assert torch.equal(keys[slots], heads[:, 4:6])
    assert torch.equal(values[slots], heads[:, 6:])
    assert int(keys.count_nonzero()) == int(values.count_nonzero()) == 3 * 2 * 20
