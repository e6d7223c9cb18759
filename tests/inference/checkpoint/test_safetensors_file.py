"""Safetensors files: everything that is right is read, nothing that is wrong does harm."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load as official_load
from safetensors.torch import save
from torch import Tensor

from inference.checkpoint.safetensors_file import SafetensorsFile
from inference.errors import CheckpointError
from support.safetensors_bytes import described, safetensors_bytes

_TENSORS = {
    "float32": torch.arange(12, dtype=torch.float32).view(3, 4),
    "bfloat16": torch.arange(5).bfloat16(),
    "float16": torch.arange(6).half().view(1, 2, 3),
    "int64": torch.tensor(7),
    "uint8": torch.arange(3, dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "float8": torch.arange(4).to(torch.float8_e4m3fn),
    "empty": torch.empty(0, 4),
}
_WHOLE = save(_TENSORS)
_HEADER_END = 8 + int.from_bytes(_WHOLE[:8], "little")


@pytest.mark.parametrize("mapped", [True, False])
def test_all_dtypes_and_shapes(tmp_path: Path, mapped: bool) -> None:
    file = SafetensorsFile(_written(tmp_path, _WHOLE), mapped=mapped)
    assert set(file.names()) == set(_TENSORS)
    for name, tensor in _TENSORS.items():
        assert file.shape(name) == tuple(tensor.shape)
        assert file.dtype(name) == tensor.dtype
        _assert_same(file.load(name), tensor)
        read = torch.empty_like(tensor)
        file.read_into(name, read)
        _assert_same(read, tensor)


def test_a_mapped_tensor_takes_no_copy(tmp_path: Path) -> None:
    file = SafetensorsFile(_written(tmp_path, _WHOLE))
    assert file.load("float32").data_ptr() == file.load("float32").data_ptr()


def test_tensors_off_their_alignment_are_copied(tmp_path: Path) -> None:
    header = {"odd": described("U8", [1], 0, 1), "shifted": described("F32", [2], 1, 9)}
    values = torch.tensor([1.5, -2.5])
    data = b"\1" + bytes(values.view(torch.uint8).tolist())
    file = SafetensorsFile(_written(tmp_path, safetensors_bytes(header, data)))
    assert torch.equal(file.load("shifted"), values)


def test_a_file_that_cannot_be_mapped_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Windows does when its commit limit is reached."""

    def refuse(*args: object, **options: object) -> None:
        raise OSError(1455, "The paging file is too small for this operation to complete")

    monkeypatch.setattr(mmap, "mmap", refuse)
    file = SafetensorsFile(_written(tmp_path, _WHOLE))
    for name, tensor in _TENSORS.items():
        _assert_same(file.load(name), tensor)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    file = SafetensorsFile(_written(tmp_path, _WHOLE))
    with pytest.raises(CheckpointError, match="does not have the tensor nowhere"):
        file.load("nowhere")


def test_a_file_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    path = _written(tmp_path, _WHOLE)
    file = SafetensorsFile(path, mapped=False)
    path.write_bytes(_WHOLE[:_HEADER_END])
    with pytest.raises(CheckpointError, match="became shorter"):
        file.load("float32")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        SafetensorsFile(tmp_path / "nowhere.safetensors")


_F32 = described("F32", [1], 0, 4)


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("", b""),
        ("null", b""),
        ("[]", b""),
        ("{", b""),
        (b"\xff\xfe{}", b""),
        ("[" * 200_000, b""),
        ({"a": None}, b""),
        ({"a": []}, b""),
        ({"a": {}}, b""),
        ({"a": {"dtype": "F32", "shape": [1]}}, b"\0" * 4),
        ({"a": described("F99", [1], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [2], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [-1], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [float("nan")], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [float("inf")], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [1.0], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [True], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", ["1"], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [1] * 100_000, 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [1 << 62, 1 << 62], 0, 4)}, b"\0" * 4),
        ({"a": described("F32", [1], 4, 0)}, b"\0" * 4),
        ({"a": described("F32", [1], -4, 0)}, b"\0" * 4),
        ({"a": described("F32", [1], 4, 8)}, b"\0" * 8),
        ({"a": described("F32", [1], 0, 1 << 60)}, b"\0" * 4),
        ({"a": _F32, "b": _F32}, b"\0" * 4),
        ({"a": described("F32", [2], 0, 8), "b": described("F32", [1], 4, 8)}, b"\0" * 8),
        ({"a": _F32}, b"\0" * 3),
        ({"a": _F32}, b"\0" * 5),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, b"\0" * 4),
        ('{"a": {"dtype": "F32", "shape": [' + "9" * 5000 + '], "data_offsets": [0, 4]}}', b""),
    ],
)
def test_hostile_headers(tmp_path: Path, header: Any, data: bytes) -> None:
    with pytest.raises(CheckpointError):
        SafetensorsFile(_written(tmp_path, safetensors_bytes(header, data)))


@pytest.mark.parametrize("length", [0, 3, 1 << 20, 101 << 20, 1 << 62, (1 << 64) - 1])
def test_hostile_lengths(tmp_path: Path, length: int) -> None:
    with pytest.raises(CheckpointError):
        SafetensorsFile(_written(tmp_path, length.to_bytes(8, "little") + b"{}"))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, _HEADER_END - 1, _HEADER_END, len(_WHOLE) - 1])
def test_a_truncated_file(tmp_path: Path, length: int) -> None:
    with pytest.raises(CheckpointError):
        SafetensorsFile(_written(tmp_path, _WHOLE[:length]))


_changes = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 8), st.integers(8, _HEADER_END), st.integers(0, len(_WHOLE) - 1)),
        st.one_of(st.integers(0, 255), st.sampled_from(b'0123456789{}[]",:-eEn ')),
    ),
    min_size=1,
    max_size=6,
)


@given(changes=_changes, mapped=st.booleans())
@settings(deadline=None, max_examples=300)
def test_changed_bytes(
    tmp_path_factory: pytest.TempPathFactory, changes: Any, mapped: bool
) -> None:
    """A typed error, or what the format's own library reads; never a crash."""
    damaged = bytearray(_WHOLE)
    for position, value in changes:
        damaged[position] = value
    _check_against_the_official_reader(tmp_path_factory, bytes(damaged), mapped)


@given(
    cut=st.integers(0, len(_WHOLE)),
    extra=st.binary(max_size=12),
    mapped=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_cut_and_lengthened(
    tmp_path_factory: pytest.TempPathFactory, cut: int, extra: bytes, mapped: bool
) -> None:
    _check_against_the_official_reader(tmp_path_factory, _WHOLE[:cut] + extra, mapped)


@pytest.mark.slow
@given(data=st.binary(max_size=400), mapped=st.booleans())
@settings(deadline=None, max_examples=3000)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, mapped: bool) -> None:
    length = len(data) // 2
    whole = length.to_bytes(8, "little") + data
    _check_against_the_official_reader(tmp_path_factory, whole, mapped)


def _check_against_the_official_reader(
    folders: pytest.TempPathFactory, data: bytes, mapped: bool
) -> None:
    path = _written(folders.getbasetemp(), data)
    try:
        ours = SafetensorsFile(path, mapped=mapped)
    except CheckpointError:
        return
    loaded = {name: ours.load(name) for name in ours.names()}
    try:
        official = official_load(data)
    except SafetensorError:
        return  # it minds what harms nobody, such as metadata that is no text
    assert loaded.keys() == official.keys()
    for name, tensor in official.items():
        _assert_same(loaded[name], tensor)


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "model.safetensors"
    # Not in place: a mapping of the file before may still be there.
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def _assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert torch.equal(ours.reshape(-1).view(torch.uint8), theirs.reshape(-1).view(torch.uint8))
