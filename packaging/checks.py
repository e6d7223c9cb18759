"""Every check of the project, one after another, each with its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from environment import Environment


class Check(NamedTuple):
    """A check: what it looks at, and the command whose exit code is 0 when all is well."""

    name: str
    command: Sequence[str]


class Outcome(NamedTuple):
    """How a check went."""

    check: Check
    passed: bool
    wall_s: float


def run_checks(checks: Sequence[Check], root: Path) -> int:
    """Run all checks in `root`, also after one failed, and return 0 if all passed, else 1."""
    settings = test_settings()
    outcomes = [_run(check, root, settings) for check in checks]
    print("\n" + summary(outcomes), flush=True)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def all_checks(
    environment: Environment, pytest_arguments: Sequence[str], *, slow: bool
) -> list[Check]:
    """List the checks, the quick ones first.

    Args:
        environment: where the tools are installed.
        pytest_arguments: passed on to pytest.
        slow: run the tests marked `slow` too.
    """
    python = str(environment.python)
    marks = ["-m", ""] if slow else []  # an empty expression lifts the default `not slow`
    return [
        Check("format", [python, "-m", "ruff", "format", "--check", "."]),
        Check("lint", [python, "-m", "ruff", "check", "."]),
        Check("tree", [python, "packaging/tree_checks.py"]),
        Check("imports", [str(environment.script("lint-imports")), "--no-logo"]),
        Check("types", [python, "-m", "mypy"]),
        Check("tests", [python, "-m", "pytest", *marks, *pytest_arguments]),
    ]


def test_settings() -> dict[str, str]:
    """The environment variables of the checks: no screen and no model hub."""
    settings = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HF_HUB_OFFLINE": "1"}
    if sys.platform != "win32" and os.geteuid() == 0:
        settings["QTWEBENGINE_DISABLE_SANDBOX"] = "1"  # Chromium's sandbox refuses to run as root
    return settings


def summary(outcomes: Sequence[Outcome]) -> str:
    """Say in one line per check how it went, and in a last one how all went."""
    lines = [
        f"{'passed' if passed else 'FAILED'}  {check.name:<8} {wall_s:7.1f} s"
        for check, passed, wall_s in outcomes
    ]
    failed = [check.name for check, passed, _ in outcomes if not passed]
    lines.append(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return "\n".join(lines)


def _run(check: Check, root: Path, settings: dict[str, str]) -> Outcome:
    print(f"\n== {check.name}", flush=True)
    begun_s = time.perf_counter()
    code = subprocess.call(check.command, cwd=root, env=settings)
    return Outcome(check, code == 0, time.perf_counter() - begun_s)
