from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bootstrap
import pytest


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_every_supported_python_will_do(version: tuple[int, int]) -> None:
    assert bootstrap.python_complaint(version) is None


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14)])
def test_another_python_is_told_what_is_needed(version: tuple[int, int]) -> None:
    complaint = bootstrap.python_complaint(version)

    assert complaint is not None
    assert "Postil needs Python 3.11, 3.12 or 3.13" in complaint
    assert f"this is {version[0]}.{version[1]}" in complaint


def test_a_python_that_would_do_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = "python3.12.exe" if sys.platform == "win32" else "python3.12"
    (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "python3.12 packaging/bootstrap.py" in str(bootstrap.python_complaint((3, 10)))


@pytest.mark.parametrize("arguments", [[], ["build"], ["run", "--fast"]])
def test_wrong_usage_is_explained_and_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_help_is_a_result() -> None:
    script = Path(bootstrap.__file__)

    shown = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=False
    )

    assert shown.returncode == 0
    assert "bootstrap.py test [--all]" in shown.stdout


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have a display")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, False),
    ],
)
def test_a_window_needs_a_display(
    settings: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert bootstrap.has_display() is expected


def test_the_script_can_be_read_by_an_older_python() -> None:
    """So that it can say which one is needed, rather than fail on its own syntax."""
    import ast

    ast.parse(Path(bootstrap.__file__).read_text(), feature_version=(3, 7))
