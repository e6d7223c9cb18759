"""Which models are on this computer.

A model stays where its files are: a folder that the reader named, or the cache that all programs
for Hugging Face's hub share. What Postil keeps is a small record of each, in the model cache.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.endpoints import DEFAULT_CONTEXT_TOKENS
from core.errors import ConflictError, NotFoundError, PostilError, StorageError

Origin = Literal["folder", "hub"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WEIGHTS = "*.safetensors"


class LocalModelError(PostilError):
    """A local model cannot be had or used; the message says why."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this computer.

    Attributes:
        name: what the reader calls it; questions go to `local:NAME`.
        path: the folder of its files.
        origin: a folder that the reader imported, or a download from the hub.
        repository: for a download, where it came from.
        revision: for a download, the commit that was fetched.
    """

    name: str
    path: Path
    origin: Origin
    repository: str = ""
    revision: str = ""

    @property
    def size_bytes(self) -> int:
        """What its weights take on disk; 0 where they are gone."""
        return sum(file.stat().st_size for file in self.path.glob(_WEIGHTS) if file.is_file())

    @property
    def context_tokens(self) -> int:
        """How many tokens a question and its answer may have together.

        A small model's context may be far longer than what a reader's computer reads in good time.
        """
        return min(_context_of(_read_config(self.path)), DEFAULT_CONTEXT_TOKENS)


class LocalModels:
    """The records of the models on this computer."""

    def __init__(self, cache_dir: Path) -> None:
        """Look in the model cache at `cache_dir`; nothing is made there until a model comes."""
        self._folder = cache_dir / "local"

    def all(self) -> list[LocalModel]:
        """Return all models, by name; records that cannot be read are passed over."""
        records = sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []
        models = [_read_record(record) for record in records]
        return [model for model in models if model is not None]

    def get(self, name: str) -> LocalModel:
        """Return one model.

        Raises:
            NotFoundError: there is none of that name.
        """
        for model in self.all():
            if model.name == name.casefold():
                return model
        known = ", ".join(model.name for model in self.all())
        hint = f"There are: {known}." if known else "`postil models list` shows what can be had."
        raise NotFoundError(f"There is no local model called “{name}”. {hint}")

    def import_folder(self, path: Path, name: str | None = None) -> LocalModel:
        """Make a folder of safetensors known. It stays where it is.

        Raises:
            LocalModelError: it holds no model that the engine could serve.
            ConflictError: the name is taken.
        """
        folder = path.expanduser().resolve()
        check_folder(folder)
        return self.add(LocalModel(checked_name(name or folder.name), folder, "folder"))

    def add(self, model: LocalModel) -> LocalModel:
        """Keep a record of a model.

        Raises:
            ConflictError: the name is taken by another folder.
            StorageError: the record cannot be written.
        """
        record = self._record(model.name)
        known = _read_record(record) if record.exists() else None
        if known is not None and known.path != model.path:
            raise ConflictError(
                f"There is a local model called “{model.name}” already, in {known.path}. "
                "Remove it first, or give this one another name."
            )
        _write(record, {**asdict(model), "path": str(model.path)})
        return model

    def remove(self, name: str) -> LocalModel:
        """Forget a model; a download's files are deleted too, an imported folder stays.

        Raises:
            NotFoundError: there is none of that name.
        """
        model = self.get(name)
        if model.origin == "hub":
            _delete_download(model)
        self._record(model.name).unlink(missing_ok=True)
        return model

    def _record(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def checked_name(name: str) -> str:
    """Return a name that can stand after `local:` and in a file's name.

    Raises:
        LocalModelError: it cannot.
    """
    folded = name.casefold().replace(" ", "-")
    if not _NAME.fullmatch(folded):
        raise LocalModelError(
            f"“{name}” cannot be a model's name: use letters, digits, dots and hyphens."
        )
    return folded


def check_folder(folder: Path) -> None:
    """See whether a folder looks like a model; the engine looks closer when it loads it.

    Raises:
        LocalModelError: it does not; the message says what is missing.
    """
    if not folder.is_dir():
        raise LocalModelError(f"{folder} is not a folder.")
    if any(folder.glob("*.gguf")) and not any(folder.glob(_WEIGHTS)):
        raise LocalModelError(
            f"{folder} holds GGUF files. Postil's engine reads safetensors; for GGUF, start "
            "llama.cpp or Ollama and add it as an endpoint."
        )
    _read_config(folder)
    for pattern, what in ((_WEIGHTS, "weights (*.safetensors)"), ("tokenizer.json", "tokenizer")):
        if not any(folder.glob(pattern)):
            raise LocalModelError(f"{folder} is not a model's folder: its {what} is missing.")


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except FileNotFoundError as error:
        raise LocalModelError(
            f"{folder} is not a model's folder: it has no config.json."
        ) from error
    except (OSError, ValueError) as error:
        raise LocalModelError(f"{folder / 'config.json'} cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise LocalModelError(f"{folder / 'config.json'} is not a model's configuration.")
    return config


def _context_of(config: dict[str, Any]) -> int:
    text = config.get("text_config")
    for source in (config, text if isinstance(text, dict) else {}):
        found = source.get("max_position_embeddings")
        if isinstance(found, int) and found > 0:
            return found
    return DEFAULT_CONTEXT_TOKENS


def _read_record(record: Path) -> LocalModel | None:
    try:
        data = json.loads(record.read_text("utf-8"))
        return LocalModel(
            name=str(data["name"]),
            path=Path(data["path"]),
            origin="hub" if data["origin"] == "hub" else "folder",
            repository=str(data.get("repository", "")),
            revision=str(data.get("revision", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # another version's, or cut short; the model's files are untouched


def _write(record: Path, data: dict[str, Any]) -> None:
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=record.parent, suffix=".part", delete=False
        ) as file:
            json.dump(data, file)
        Path(file.name).replace(record)
    except OSError as error:
        raise StorageError(
            f"Postil cannot write in {record.parent}: {error.strerror or error}."
        ) from error


def _delete_download(model: LocalModel) -> None:
    """Delete a revision from the shared cache, as the hub's own library does it."""
    from huggingface_hub import scan_cache_dir

    if not model.path.exists():
        return
    cache = scan_cache_dir(model.path.parents[2])
    strategy = cache.delete_revisions(model.revision)
    if strategy.repos or strategy.snapshots:
        strategy.execute()
    else:
        shutil.rmtree(model.path)
