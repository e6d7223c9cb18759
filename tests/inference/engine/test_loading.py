"""Devices, types and limits are chosen by what is there; what is not possible is refused."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from inference.engine import Engine
from inference.errors import DeviceError, InvalidParameterError, ModelFolderError
from inference.loading import choose_device, choose_dtype
from inference.requests import SamplingParams
from inference.scheduling.limits import SchedulingLimits
from support.chat_model import write_chat_model

CPU = torch.device("cpu")


def test_auto_is_a_device_that_is_there() -> None:
    assert choose_device("auto") == choose_device(choose_device("auto").type)  # type: ignore[arg-type]
    assert choose_device("cpu") == CPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="'cuda'"):
        choose_device("cuda")


def test_types() -> None:
    assert choose_dtype("auto", torch.float32, CPU, "int8") == torch.float32
    assert choose_dtype("auto", torch.bfloat16, CPU, "none") == torch.bfloat16
    for stored in (torch.float32, torch.bfloat16, torch.float16):
        assert choose_dtype("float32", stored, CPU, "none") == torch.float32


def test_progress_is_told(model_folder: Path) -> None:
    told: list[tuple[str, float]] = []
    with Engine.from_pretrained(
        model_folder,
        device="cpu",
        kv_cache_bytes=1 << 20,
        on_progress=lambda stage, share: told.append((stage, share)),
    ):
        pass
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == ["configuration", "weights", "cache", "ready"]
    weights = [share for stage, share in told if stage == "weights"]
    assert weights == sorted(weights)
    assert weights[-1] == 1.0


def test_progress_that_raises_ends_loading(model_folder: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(stage: str, share: float) -> None:
        if stage == "weights":
            raise StoppedError

    with pytest.raises(StoppedError):
        Engine.from_pretrained(model_folder, device="cpu", on_progress=stop)


def test_limits_follow_the_options(model_folder: Path) -> None:
    with Engine.from_pretrained(model_folder, device="cpu", max_model_len=100) as engine:
        assert engine.max_model_len == 100
        assert engine.model_name == "tiny"
        assert (engine.device, engine.dtype, engine.quantization) == (CPU, torch.float32, "none")
    with pytest.raises(InvalidParameterError, match="1024"):
        Engine.from_pretrained(model_folder, device="cpu", max_model_len=1025)
    with pytest.raises(DeviceError):
        Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=10)
    with pytest.raises(ModelFolderError):
        Engine.from_pretrained(model_folder / "nothing here", device="cpu")


@pytest.mark.parametrize("name", ["max_batch", "max_step_tokens", "max_waiting"])
@pytest.mark.parametrize("count", [0, -1])
def test_counts_below_one_are_refused_by_name(model_folder: Path, name: str, count: int) -> None:
    with pytest.raises(InvalidParameterError, match="at least 1") as refusal:
        Engine.from_pretrained(model_folder, device="cpu", **{name: count})  # type: ignore[arg-type]
    assert refusal.value.parameter == name


def test_limits_under_which_a_request_could_hang_are_refused() -> None:
    with pytest.raises(ValueError, match="max_step_tokens"):
        SchedulingLimits(10, 10, 4, 4, 0, 1)


def test_every_kind_of_weights_answers(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "model")
    params = SamplingParams(temperature=0.0, max_tokens=4, ignore_eos=True)
    for quantization in ("none", "int8", "int4"):
        for dtype in ("float32", "bfloat16"):
            with Engine.from_pretrained(
                folder,
                device="cpu",
                dtype=dtype,  # type: ignore[arg-type]
                quantization=quantization,  # type: ignore[arg-type]
                kv_cache_bytes=1 << 20,
            ) as engine:
                (answer,) = engine.generate(["A ship"], params)
                assert len(answer.token_ids) == 4


def test_what_is_loaded_is_left_out_of_collections(model_folder: Path) -> None:
    with Engine.from_pretrained(model_folder, device="cpu", kv_cache_bytes=1 << 20):
        assert gc.get_freeze_count() > 10_000
