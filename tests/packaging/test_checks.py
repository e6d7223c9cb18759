from __future__ import annotations

import sys
from pathlib import Path

import pytest
from checks import Check, Outcome, all_checks, run_checks, summary
from environment import Environment


def _check(name: str, program: str) -> Check:
    return Check(name, [sys.executable, "-c", program])


def test_all_checks_run_although_one_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checks = [_check("first", "raise SystemExit(1)"), _check("second", "print('it ran')")]

    assert run_checks(checks, tmp_path) == 1

    shown = capfd.readouterr().out
    assert "it ran" in shown
    assert "Failed: first." in shown


def test_checks_see_neither_a_screen_nor_a_model_hub(tmp_path: Path) -> None:
    program = (
        "import os; assert os.environ['QT_QPA_PLATFORM'] == 'offscreen'; "
        "assert os.environ['HF_HUB_OFFLINE'] == '1'"
    )

    assert run_checks([_check("settings", program)], tmp_path) == 0


def test_the_summary_names_each_check_with_its_time() -> None:
    outcomes = [Outcome(_check("lint", ""), True, 0.25), Outcome(_check("types", ""), False, 12.0)]

    assert summary(outcomes).splitlines() == [
        "passed  lint         0.2 s",
        "FAILED  types       12.0 s",
        "Failed: types.",
    ]


def test_slow_tests_run_on_request_only(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    usual = all_checks(environment, ["-k", "offsets"], slow=False)[-1].command
    everything = all_checks(environment, [], slow=True)[-1].command

    assert list(usual[1:]) == ["-m", "pytest", "-k", "offsets"]
    assert list(everything[1:]) == ["-m", "pytest", "-m", ""]
