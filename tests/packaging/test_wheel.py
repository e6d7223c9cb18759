from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from bootstrap import ROOT

PACKAGES = ("app", "core", "inference", "rag", "resources")
# The screenshots are for the README; a checkout that was installed may hold the rest.
LEFT_OUT = shutil.ignore_patterns("screenshots", "__pycache__", "*.egg-info")


def _build(folder: Path) -> Path:
    """Build the wheel from a copy, so that the checkout stays as it is."""
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, source]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(tmp_path: Path) -> None:
    wheel = _build(tmp_path)

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    expected = {
        path.relative_to(tmp_path / "source").as_posix()
        for package in PACKAGES
        for path in (tmp_path / "source" / package).rglob("*")
        if path.is_file()
    }
    assert sorted(expected - packed) == []
    assert any(name.endswith("licenses/LICENSE") for name in packed)
    tops = {name.partition("/")[0] for name in packed}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
