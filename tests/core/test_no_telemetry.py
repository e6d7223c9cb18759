"""Nothing that Postil stands on reports to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

VARIABLES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")


def write_model(path: Path) -> Path:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "one", [value], [result]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("package", ["core", "inference", "rag.embedding", "app.cli.entry"])
def test_onnx_runtime_leaves_nothing_behind(package: str, tmp_path: Path) -> None:
    model = write_model(tmp_path / "one.onnx")
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    program = f"import {package}, onnxruntime; onnxruntime.InferenceSession({str(model)!r})"

    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=Path(__file__).parents[2],
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
    )

    assert not [path for path in home.rglob("*") if "onnxruntime" in path.name.lower()]
