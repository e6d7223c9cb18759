"""Where embedding models lie on disk, and how they come there.

A bundled model is built once into a folder of the model cache. The folder appears whole, by a
rename, with a manifest of its files' hashes; a damaged one is built again. Any other model lies
in fastembed's own layout and comes from the network, only when asked to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from core.errors import EmbeddingError
from rag.embedding.build import BUILDER_VERSION, build_model
from rag.embedding.bundled import WEIGHTS_SHA256, weights_folder
from rag.embedding.catalogue import EmbeddingModel, find_model

_MANIFEST = "manifest.json"
TEMPORARY_PREFIX = ".building-"
"""Of folders of the model cache that are still being filled."""

_ABANDONED_AFTER_S = 3600.0
_BUILD_TIMEOUT_S = 600.0
# On Windows a program without a console would open one for the process that it starts.
_NO_CONSOLE: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

log = logging.getLogger(__name__)

_one_build_at_a_time = threading.Lock()


def bundled_revision(model: EmbeddingModel) -> str:
    """Return what tells the vectors of a bundled model from those of another build of it."""
    return f"{WEIGHTS_SHA256[:16]}-{model.precision}-{BUILDER_VERSION}"


def is_ready(model_name: str, cache_dir: Path) -> bool:
    """Say whether the model can be loaded without a download: built, buildable or downloaded."""
    model = find_model(model_name)
    if not model.bundled:
        return downloaded_folder(model, cache_dir) is not None
    if _is_whole(_bundled_folder(model, cache_dir)):
        return True
    try:
        weights_folder()
    except EmbeddingError:
        return False
    return True


def prepare(model_name: str, cache_dir: Path, *, allow_download: bool = False) -> Path:
    """Return the folder of a model that is ready to load; build or download it where needed.

    Building the bundled model takes about five seconds once, in a process of its own that needs
    half a gigabyte. Safe when several processes do it at once.

    Args:
        model_name: a name from the catalogue.
        cache_dir: the model cache, made where it is missing.
        allow_download: may the network be used? Never so for a bundled model.

    Raises:
        EmbeddingError: no such model, not installed, not downloaded, or it cannot be written.
    """
    model = find_model(model_name)
    if model.bundled:
        return _prepare_bundled(model, cache_dir)
    folder = downloaded_folder(model, cache_dir)
    if folder is not None:
        return folder
    if not allow_download:
        raise EmbeddingError(
            f"The embedding model “{model.name}” ({model.size_mb} MB) has not been downloaded. "
            "Search works by words until it is."
        )
    return _download(model, cache_dir)


def _bundled_folder(model: EmbeddingModel, cache_dir: Path) -> Path:
    return cache_dir / f"{model.name}-{bundled_revision(model)}"


def _prepare_bundled(model: EmbeddingModel, cache_dir: Path) -> Path:
    folder = _bundled_folder(model, cache_dir)
    with _one_build_at_a_time:
        if _is_whole(folder):
            return folder
        weights_folder()  # raises where there is nothing to build from
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            remove_abandoned(cache_dir)
            temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=cache_dir))
            try:
                _run_build(temporary, model)
                _seal(temporary)
                _publish(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise EmbeddingError(
                f"The embedding model could not be written to {cache_dir} ({error.strerror}). "
                "Search works by words until it can."
            ) from error
    return folder


def _run_build(folder: Path, model: EmbeddingModel) -> None:
    if getattr(sys, "frozen", False):
        # A packaged application has no interpreter to start; it pays the memory once itself.
        build_model(folder, model.precision)
        return
    command = [sys.executable, "-m", "rag.embedding.build", str(folder), model.precision]
    search_path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": search_path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT_S,
            check=False,
            creationflags=_NO_CONSOLE,
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddingError("Making the embedding model took too long and was stopped.") from error
    except OSError as error:
        raise EmbeddingError(
            f"The process that makes the embedding model could not be started ({error}). Search "
            "works by words until it can."
        ) from error
    if done.returncode != 0:
        log.error("building %s failed: %s", model.name, done.stderr)
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise EmbeddingError(
            f"The embedding model could not be made ({reason}). Search works by words until it is."
        )


def _seal(folder: Path) -> None:
    """Write the manifest, and force all files to disk."""
    manifest = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _publish(temporary: Path, folder: Path) -> None:
    """Rename the finished folder to its place; one that another process put there stays."""
    for _ in range(3):
        try:
            temporary.rename(folder)
        except OSError:
            if _is_whole(folder):
                return
            if not folder.exists():
                raise
            # Out of the way by a rename, so that nobody sees half a folder.
            damaged = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=folder.parent))
            folder.rename(damaged / "damaged")
            shutil.rmtree(damaged, ignore_errors=True)
        else:
            return
    raise EmbeddingError(f"Another program keeps changing {folder}; close it and try again.")


def _is_whole(folder: Path) -> bool:
    """Say whether a folder holds a manifest and exactly the files that it names."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest) and all(
            _sha256(folder / name) == digest for name, digest in manifest.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_abandoned(cache_dir: Path) -> None:
    """Remove what builds left that were killed."""
    for path in cache_dir.glob(f"{TEMPORARY_PREFIX}*"):
        try:
            age_s = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            continue  # its own process removed it
        if age_s > _ABANDONED_AFTER_S:
            shutil.rmtree(path, ignore_errors=True)


def downloaded_folder(model: EmbeddingModel, cache_dir: Path) -> Path | None:
    """Return where fastembed keeps a model that was downloaded, None where it was not."""
    from huggingface_hub import try_to_load_from_cache

    source, model_file = _fastembed_source(model)
    path = try_to_load_from_cache(source, model_file, cache_dir=cache_dir)
    if not isinstance(path, str):
        return None
    folder = Path(path)
    for _ in Path(model_file).parts:
        folder = folder.parent
    return folder


def _fastembed_source(model: EmbeddingModel) -> tuple[str, str]:
    """Return the hub repository that fastembed takes a model from, and the file in it."""
    from fastembed import TextEmbedding

    for entry in TextEmbedding.list_supported_models():
        if entry["model"] == model.name:
            return entry["sources"]["hf"], entry["model_file"]
    raise EmbeddingError(f"The installed fastembed does not know the model “{model.name}”.")


def _download(model: EmbeddingModel, cache_dir: Path) -> Path:
    from fastembed import TextEmbedding

    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        TextEmbedding(model.name, cache_dir=str(cache_dir), lazy_load=True)
    except Exception as error:  # fastembed, the hub's client and the network raise many kinds
        raise EmbeddingError(
            f"The embedding model “{model.name}” could not be downloaded ({error}). Check the "
            "connection and try again; search works by words meanwhile."
        ) from error
    folder = downloaded_folder(model, cache_dir)
    if folder is None:
        raise EmbeddingError(f"The download of “{model.name}” is incomplete; try again.")
    return folder
