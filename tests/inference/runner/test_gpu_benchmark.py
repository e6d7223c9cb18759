"""The program that measures on graphics cards still runs: in small, on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> str:
    command = [sys.executable, "tests/benchmarks/gpu.py", "--device", "cpu", "--tiny", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_measures() -> None:
    output = run("--only", "speed")
    for what in (
        "Llama-3.2-1B decode, batch 1",
        "Llama-3.1-8B prefill",
        "Qwen3-0.6B",
        "transformers",
    ):
        assert what in output


@pytest.mark.slow
def test_it_checks() -> None:
    output = run("--only", "correctness")
    for what in ("attention, bfloat16", "Gemma2, float32, decoded", "greedy tokens equal"):
        assert what in output
