"""What a folder must hold to be a model; read without torch, so that it can be said at once."""

from __future__ import annotations

from pathlib import Path

from inference.errors import ModelFolderError, UnsupportedModelError

CONFIG_NAME = "config.json"
SINGLE_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def require_model_folder(folder: Path) -> None:
    """Say plainly what a path is, where it is no model folder.

    Raises:
        ModelFolderError: no such folder, or no model in it.
        UnsupportedModelError: GGUF.
    """
    if folder.suffix.lower() == ".gguf" or (
        folder.is_dir() and not (folder / CONFIG_NAME).is_file() and any(folder.glob("*.gguf"))
    ):
        raise UnsupportedModelError(
            f"{folder} is GGUF, which the engine does not read. "
            "It serves folders with config.json and safetensors files."
        )
    if not folder.is_dir():
        raise ModelFolderError(f"There is no folder {folder}.")
    if not (folder / CONFIG_NAME).is_file():
        raise ModelFolderError(f"There is no model in {folder}: it has no {CONFIG_NAME}.")


def require_weights(folder: Path) -> None:
    """Say plainly what is there instead, where a folder holds no weights that can be read.

    Raises:
        ModelFolderError: there are no weights.
        UnsupportedModelError: the weights are pickled or GGUF.
    """
    if (folder / SINGLE_NAME).is_file() or (folder / INDEX_NAME).is_file():
        return
    if any(folder.glob("*.gguf")):
        raise UnsupportedModelError(
            f"The weights in {folder} are GGUF, which the engine does not read. "
            "It serves safetensors files."
        )
    if any(path for pattern in _PICKLES for path in folder.glob(pattern)):
        raise UnsupportedModelError(
            f"The weights in {folder} are pickled, and reading them could run code of their "
            "author's. Convert them to safetensors."
        )
    raise ModelFolderError(f"There are no weights in {folder}: no {SINGLE_NAME}, no {INDEX_NAME}.")
