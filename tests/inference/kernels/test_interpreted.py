"""Runs the tests of Triton's kernels in a process of their own, in Triton's interpreter.

Triton decides when it is imported whether it interprets. Products of bfloat16 it cannot interpret:
those are checked on a graphics card alone (tests/benchmarks/gpu.py).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed; it comes with PyTorch for CUDA on Linux",
)
@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("interpreted_*.py")))
def test_interpreted(file: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / file)]
    run = subprocess.run(
        command,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=FOLDER.parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
