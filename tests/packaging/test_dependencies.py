"""Every dependency is pinned, and its licence goes together with AGPL-3.0-or-later."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import bootstrap
import pytest
from environment import BUNDLED_MODEL, CONSTRAINTS
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# SPDX identifiers, and the words of trove classifiers and of older `License` fields. All are
# permissive, or (LGPL, MPL, GPL-3) may be combined with AGPL-3.0-or-later: AGPL section 13.
COMPATIBLE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|PSF|PSFL|Python-2\.0|ISC|HPND|Unlicense|Zlib|CC0"
    r"|LGPL-3\.0|LGPLv3|MPL-2\.0|Mozilla Public License 2\.0|AGPL|GNU Affero)",
    re.IGNORECASE,
)


def _declared() -> list[Requirement]:
    project = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["engine"], *extras["dev"]]
    declared = [Requirement(line) for line in lines]
    return [requirement for requirement in declared if requirement.name != project["name"]]


def _pins() -> dict[str, str]:
    pins = {}
    for name in (CONSTRAINTS, BUNDLED_MODEL):
        lines = (bootstrap.ROOT / name).read_text().splitlines()
        found = [re.match(r"([\w.-]+)==(\S+)", line) for line in lines]
        pins |= {canonicalize_name(pin[1]): pin[2] for pin in found if pin}
    return pins


@cache
def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # for another platform or another Python


def _closure() -> Iterator[Distribution]:
    """Yield every installed distribution that Postil needs, directly or not."""
    waiting, seen = _declared(), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        package = _installed(name)
        if package is None or (name, *sorted(requirement.extras)) in seen:
            continue
        seen.add((name, *sorted(requirement.extras)))
        yield package
        waiting += _needs(package, requirement.extras)


def _needs(package: Distribution, extras: set[str]) -> list[Requirement]:
    needs = [Requirement(line) for line in package.requires or ()]
    chosen = [{"extra": extra} for extra in ("", *extras)]
    return [
        need
        for need in needs
        if need.marker is None or any(need.marker.evaluate(choice) for choice in chosen)
    ]


def _licence(package: Distribution) -> str:
    """Return what the metadata says of the licence, else how the licence's own text begins."""
    metadata = package.metadata
    classifiers = [
        line for line in metadata.get_all("Classifier", []) if line.startswith("License ::")
    ]
    first_line = (metadata.get("License") or "").strip().partition("\n")[0]
    told = [metadata.get("License-Expression") or "", first_line, *classifiers]
    text = package.read_text("licenses/LICENSE") or ""
    return " / ".join(line for line in told if line) or text.strip().partition("\n")[0]


def test_the_closure_is_followed() -> None:
    names = {canonicalize_name(package.name) for package in _closure()}

    assert {"sqlalchemy", "httpcore", "pytest", "pluggy"} <= names


def test_every_dependency_is_pinned_at_the_version_that_is_tested() -> None:
    pins = _pins()
    installed = {canonicalize_name(package.name): package.version for package in _closure()}

    differing = {
        name: version
        for name, version in installed.items()
        if pins.get(name) != version.partition("+")[0]  # torch adds its build: 2.13.0+cpu
    }

    assert differing == {}


def test_pins_satisfy_what_the_project_asks_for() -> None:
    pins = _pins()

    for requirement in _declared():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_torch_and_the_bundled_model_are_pinned_exactly() -> None:
    assert _pins()["torch"] == "2.13.0"
    assert "--hash=sha256:" in (bootstrap.ROOT / BUNDLED_MODEL).read_text()


def test_every_licence_goes_together_with_ours() -> None:
    unclear = {
        package.name: _licence(package)
        for package in _closure()
        if not COMPATIBLE.search(_licence(package))
    }

    assert unclear == {}


def test_our_own_licence_is_there_whole() -> None:
    text = (Path(bootstrap.ROOT) / "LICENSE").read_text()

    assert text.lstrip().startswith("GNU AFFERO GENERAL PUBLIC LICENSE")
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("order", ["onnxruntime, usearch.index", "usearch.index, onnxruntime"])
def test_native_libraries_can_be_loaded_in_any_order(order: str) -> None:
    """Usearch 2.26.2 to 2.26.6 on Linux crash the process that imports onnxruntime after them."""
    loaded = subprocess.run([sys.executable, "-c", f"import {order}"], check=False)

    assert loaded.returncode == 0
