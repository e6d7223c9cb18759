"""The environment is made with the real venv and pip, offline, for a project of two tiny wheels."""

from __future__ import annotations

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from environment import BUNDLED_MODEL, CONSTRAINTS, Environment, InstallError

from support.wheels import make_wheel

# Its own build backend, so that the project can be installed with nothing else at hand.
BACKEND = '''
import zipfile
from pathlib import Path

INFO = "tiny-1.dist-info"
METADATA = """Metadata-Version: 2.1
Name: tiny
Version: 1
Provides-Extra: dev
Requires-Dist: needed
Requires-Dist: developing; extra == "dev"
"""
WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
RECORD = f"tiny.pth,,\\n{INFO}/METADATA,,\\n{INFO}/RECORD,,\\n"


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    path = Path(wheel_directory) / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.pth", str(Path.cwd()))
        wheel.writestr(INFO + "/METADATA", METADATA)
        wheel.writestr(INFO + "/WHEEL", WHEEL)
        wheel.writestr(INFO + "/RECORD", RECORD)
    return path.name
'''
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that needs `needed`, and `developing` for its dev extra."""
    shelf = tmp_path / "shelf"
    for name in ("needed", "developing", "setuptools"):
        make_wheel(shelf, name, "1.0")
    make_wheel(shelf, "needed", "2.0")
    model = make_wheel(shelf, "model", "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    root = tmp_path / "project"
    (root / "packaging").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "backend.py").write_text(BACKEND)
    (root / CONSTRAINTS).write_text("needed==1.0\n")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    (root / BUNDLED_MODEL).write_text(f"model==1.0 --hash=sha256:{digest}\n")
    return root


def _installed(environment: Environment) -> dict[str, str]:
    command = [environment.python, "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split("==") for line in listed.split())


def test_an_environment_is_made_kept_and_extended(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = Environment(project)

    with ThreadPoolExecutor(2) as both:
        for _ in range(2):
            both.submit(Environment(project).install, ())
    assert capfd.readouterr().err.count("Making the virtual environment") == 1, "one waits"
    installed = _installed(environment)
    assert installed["needed"] == "1.0", "the constraints hold although 2.0 is there"
    assert "model" in installed
    assert "developing" not in installed

    log = environment.folder / "pip.log"
    log.unlink()
    environment.install(extras=())
    assert not log.exists(), "nothing changed, so pip was not called"

    environment.install(extras=("dev",))
    assert "developing" in _installed(environment)

    log.unlink()
    environment.install(extras=())
    assert not log.exists(), "what has more than is asked for is up to date"

    (project / CONSTRAINTS).write_text("needed==2.0\n")
    environment.install(extras=())
    installed = _installed(environment)
    assert installed["needed"] == "2.0"
    assert "developing" in installed, "the extras stay"


def test_an_interrupted_install_is_told_and_the_next_one_starts_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(project)
    with monkeypatch.context() as offline:
        offline.delenv("PIP_NO_INDEX")
        offline.delenv("PIP_FIND_LINKS")
        offline.setenv("PIP_CONFIG_FILE", os.devnull)
        offline.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
        offline.setenv("PIP_RETRIES", "0")
        offline.setenv("NO_PROXY", "127.0.0.1")
        (project / CONSTRAINTS).write_text("setuptools==1.0\nneeded==1.0\n")
        with pytest.raises(InstallError, match="could not be reached"):
            environment.install(extras=())
    leftover = environment.folder / "leftover-of-the-interrupted-install"
    leftover.touch()

    Environment(project).install(extras=())

    assert "needed" in _installed(environment)
    assert not leftover.exists()


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_anew(project: Path) -> None:
    environment = Environment(project)
    environment.install(extras=())
    environment.python.unlink()

    environment.install(extras=())

    assert "needed" in _installed(environment)


@pytest.mark.slow
def test_a_damaged_download_is_refused(project: Path) -> None:
    (project / BUNDLED_MODEL).write_text(f"model==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(InstallError, match="pip could not install"):
        Environment(project).install(extras=())
