"""`models`: the language models on this computer."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from app.cli.session import HomeOption, JsonOption, open_home, opened
from app.cli.terminal import print_json, printable, say, write_utf8
from app.local_models.catalogue import CATALOGUE, CatalogueModel
from app.local_models.store import LocalModel, LocalModels
from core.endpoints import LOCAL_PREFIX
from core.home import model_cache_dir

_TOLD_EVERY_S = 1.0

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A name that `list` shows.")]


def register(application: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The language models on this computer.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command()(download)
    group.command("import")(import_folder)
    group.command()(remove)
    application.add_typer(group, name="models")


def list_models(context: typer.Context, home: HomeOption = None, json_: JsonOption = False) -> None:
    """List the models that are here, and those that can be downloaded."""
    open_home(context, home)
    here = LocalModels(model_cache_dir()).all()
    names = {model.name for model in here}
    offered = [model for model in CATALOGUE if model.name not in names]
    if json_:
        print_json([*map(_installed_json, here), *map(_offered_json, offered)])
        return
    for model in here:
        where = model.repository or str(model.path)
        write_utf8(printable(f"* {model.name}  ({model.size_bytes / 1e9:.1f} GB; {where})") + "\n")
    for one in offered:
        consent = "; needs your consent on the hub" if one.gated else ""
        room = "" if _fits(one) else "; more than this computer's memory"
        size = f"{one.size_mb / 1000:.1f} GB to download"
        write_utf8(f"  {one.name}  ({size}; {one.licence}{consent}{room})\n")


def download(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name that `list` shows, or OWNER/REPOSITORY.")
    ],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Fetch a model from the Hugging Face hub; stopped midway, it goes on from there next time."""
    from app.local_models.download import download as fetch

    open_home(context, home)
    with _Teller(as_json=json_) as teller:
        model = fetch(LocalModels(model_cache_dir()), name, teller.tell)
    _tell_added(model, as_json=json_)


def import_folder(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds safetensors and configs.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; else the folder's name.")
    ] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Make a model's folder known. It stays where it is."""
    open_home(context, home)
    model = LocalModels(model_cache_dir()).import_folder(folder, name)
    _tell_added(model, as_json=json_)


def remove(
    context: typer.Context, name: NameArgument, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Remove a model. A download is deleted; a folder that was imported is only forgotten."""
    with opened(context, home) as postil:
        model = postil.remove_local_model(name.removeprefix(LOCAL_PREFIX))
    if json_:
        print_json({"name": model.name})
    else:
        kept = f" Its folder {model.path} stays." if model.origin == "folder" else ""
        say(f"Removed “{model.name}”.{kept}")


class _Teller:
    """Tells how far a download is: a bar on a terminal, JSON lines, or a line now and then."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told_at = 0.0
        shown = sys.stderr.isatty() and not as_json
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._bar.add_task("downloading", total=None)
        self._plain = not shown and not as_json

    def __enter__(self) -> _Teller:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, done: int, total: int) -> None:
        """Take in how many bytes are there; called from the download's threads."""
        self._bar.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if now - self._told_at < _TOLD_EVERY_S:
            return
        self._told_at = now
        if self._as_json:
            print_json({"event": "progress", "done_bytes": done, "total_bytes": total})
        elif self._plain:
            say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")


def _tell_added(model: LocalModel, *, as_json: bool) -> None:
    if as_json:
        print_json({"event": "done", **_installed_json(model)})
    else:
        say(f"“{model.name}” is here. Ask it with --endpoint {LOCAL_PREFIX}{model.name}.")


def _installed_json(model: LocalModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "installed": True,
        "repository": model.repository or None,
        "path": str(model.path),
        "size_bytes": model.size_bytes,
    }


def _offered_json(model: CatalogueModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "installed": False,
        "repository": model.repository,
        "size_bytes": model.size_mb * 1_000_000,
        "memory_bytes": model.memory_bytes,
        "fits_memory": _fits(model),
        "licence": model.licence,
        "gated": model.gated,
    }


def _fits(model: CatalogueModel) -> bool:
    return model.memory_bytes < int(psutil.virtual_memory().total)
