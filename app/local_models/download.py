"""Downloads of local models from the Hugging Face hub.

The hub's own library does the work: a download that broke off goes on where it was, and files that
another program fetched are used as they are. A mirror is set the library's way, by the variable
HF_ENDPOINT; so are a token (HF_TOKEN, or `hf auth login`) and the folder (HF_HOME).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.local_models.catalogue import find
from app.local_models.store import (
    LocalModel,
    LocalModelError,
    LocalModels,
    check_folder,
    checked_name,
)

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

OnProgress = Callable[[int, int], None]
"""Told how many bytes are there and how many there will be; called from any thread."""

_WANTED = ("*.safetensors", "*.json", "*.jinja")
_UNWANTED = "consolidated*"  # the same weights once more, in their makers' own layout
_SPARE_BYTES = 1_000_000_000
"""Room left on the disk: the engine keeps quantised weights beside, and the system needs some."""
_HASHED_AT_ONCE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a repository; `sha256` where the hub tells it, which it does for weights."""

    name: str
    size_bytes: int
    sha256: str | None


def download(models: LocalModels, name: str, on_progress: OnProgress) -> LocalModel:
    """Fetch a model and make it known. May block for as long as the network takes.

    Args:
        models: where it is made known.
        name: a name of the catalogue, or `OWNER/REPOSITORY` on the hub.
        on_progress: told how far it is.

    Raises:
        LocalModelError: it cannot be had; the message says why and what to do.
        ConflictError: another model has that name.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    listed = find(name)
    repository = name if listed is None else listed.repository
    if "/" not in repository:
        raise LocalModelError(
            f"There is no model called “{name}” on offer. `postil models list` shows which are; "
            "any other is named OWNER/REPOSITORY, as on the hub."
        )
    with _hub_errors(repository):
        info = HfApi().model_info(repository, files_metadata=True)
    files = _wanted_files(repository, info.siblings or ())
    total = sum(file.size_bytes for file in files)
    cache = Path(HF_HUB_CACHE)
    _check_room(cache, total - _present_bytes(cache, repository, str(info.sha), files))
    with _hub_errors(repository):
        folder = snapshot_download(
            repository,
            revision=info.sha,
            allow_patterns=[file.name for file in files],
            tqdm_class=_progress_class(on_progress, total),
        )
    path = Path(folder)
    for file in files:
        _verify(path / file.name, file)
    check_folder(path)
    label = checked_name(repository.rpartition("/")[2] if listed is None else listed.name)
    return models.add(LocalModel(label, path, "hub", repository, str(info.sha)))


def _wanted_files(repository: str, siblings: Sequence[RepoSibling]) -> list[_File]:
    files = [
        _File(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None)
        for one in siblings
        if "/" not in one.rfilename
        and any(Path(one.rfilename).match(pattern) for pattern in _WANTED)
        and not Path(one.rfilename).match(_UNWANTED)
    ]
    if not any(file.name.endswith(".safetensors") for file in files):
        raise LocalModelError(
            f"{repository} has no weights as safetensors, which is what Postil's engine reads."
        )
    return files


def _present_bytes(cache: Path, repository: str, sha: str, files: Sequence[_File]) -> int:
    snapshot = cache / f"models--{repository.replace('/', '--')}" / "snapshots" / sha
    return sum(file.size_bytes for file in files if (snapshot / file.name).exists())


def _check_room(cache: Path, needed_bytes: int) -> None:
    folder = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if needed_bytes + _SPARE_BYTES > free:
        raise LocalModelError(
            f"The model needs {needed_bytes / 1e9:.1f} GB in {folder}, and some to spare; "
            f"{free / 1e9:.1f} GB are free. Make room, or set HF_HOME to a folder on another disk."
        )


def _verify(path: Path, file: _File) -> None:
    """Compare a file with what the hub says of it; one that differs is removed."""
    if file.sha256 is None:
        return
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASHED_AT_ONCE_BYTES):
            digest.update(block)
    if digest.hexdigest() != file.sha256:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise LocalModelError(
            f"{file.name} arrived damaged and was removed. Start the download again; what is "
            "whole is kept."
        )


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Turn the hub's errors into sentences for the reader."""
    import httpx
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise LocalModelError(
            f"The makers of {repository} ask for your consent first. Open "
            f"https://huggingface.co/{repository}, agree there, then run `hf auth login` (or set "
            "HF_TOKEN) and start the download again."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise LocalModelError(f"The hub knows no model called {repository}.") from error
    except HfHubHTTPError as error:
        raise LocalModelError(f"The hub refuses: {error}") from error
    except OfflineModeIsEnabled as error:
        raise LocalModelError(
            "Downloads are switched off by the variable HF_HUB_OFFLINE."
        ) from error
    except (httpx.HTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        raise LocalModelError(
            f"The hub cannot be reached ({type(error).__name__}). What has come is kept: start "
            "the download again when the network is there, or set HF_ENDPOINT to a mirror."
        ) from error
    except OSError as error:
        raise LocalModelError(f"The model cannot be written: {error.strerror or error}.") from error


def _progress_class(on_progress: OnProgress, total: int) -> Any:  # noqa: ANN401 - a tqdm class
    """Make the class of progress bars that the hub's library wants: silent ones that tell us."""
    from tqdm.auto import tqdm

    class Told(tqdm):  # type: ignore[misc]
        """Counts bytes without drawing."""

        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            options.pop("name", None)
            self.counted = options.get("unit") == "B"
            self.done = 0
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            """Tell of `n` more bytes."""
            if self.counted:
                self.done += int(n or 0)
                on_progress(min(self.done, total), total)
            return None

    return Told
