"""`embedding`: the model that search by meaning uses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from app.cli.adding import following
from app.cli.session import HomeOption, JsonOption, opened
from app.cli.terminal import print_json, say, write_utf8
from app.composition import Postil
from core.errors import EmbeddingError
from core.home import model_cache_dir


def register(application: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The model that search by meaning uses.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command()(use)
    application.add_typer(group, name="embedding")


def list_models(context: typer.Context, home: HomeOption = None, json_: JsonOption = False) -> None:
    """List the embedding models that Postil offers; `*` marks the one in use."""
    from rag.embedding import catalogue

    with opened(context, home) as postil:
        chosen = postil.settings.embedding_model
    if json_:
        print_json(
            [
                {
                    "name": model.name,
                    "languages": model.languages,
                    "megabytes": model.size_mb,
                    "licence": model.licence,
                    "bundled": model.bundled,
                    "in_use": model.name == chosen,
                }
                for model in catalogue()
            ]
        )
        return
    for model in catalogue():
        mark = "*" if model.name == chosen else " "
        fetched = "bundled" if model.bundled else f"{model.size_mb} MB to download"
        write_utf8(f"{mark} {model.name}  ({model.languages}; {fetched}; {model.licence})\n")


def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `list` shows.")],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Choose the embedding model, fetching it if need be.

    The books are embedded anew first, and searches go on with the old model until that is done;
    stopped midway, the old model stays, and the same command goes on from there.
    """
    from rag.embedding import find_model, prepare

    model = find_model(name)
    with opened(context, home) as postil:
        if not model.bundled:
            say(f"fetching {name} ({model.size_mb} MB) if it is not there yet …")
        prepare(name, model_cache_dir(), allow_download=True)
        count = _embed_anew(postil, name, as_json=json_)
    if json_:
        print_json({"event": "done", "name": name, "passages": count})
    else:
        say(f"Search by meaning uses {name}; {count} passages were embedded with it.")


def _embed_anew(postil: Postil, name: str, *, as_json: bool) -> int:
    """Embed all books with another model, then let it be the one in use."""
    anew = Postil(postil.home, embedding_model=name)
    try:
        asyncio.run(_run_jobs(anew, as_json=as_json))
        count = anew.library.embeddings.count(anew.fingerprint)
        wanted = sum(book.chunk_count for book in anew.library.books.all())
        if count < wanted:
            raise EmbeddingError(
                f"Only {count} of {wanted} passages could be embedded with {name}. Close other "
                "windows of Postil on this library and try again; the old model stays in use."
            )
        postil.change_settings(postil.settings.model_copy(update={"embedding_model": name}))
        anew.library.embeddings.discard_others(anew.fingerprint)
        _discard_index(postil)
    finally:
        anew.close()
    return count


def _discard_index(postil: Postil) -> None:
    """Remove the index files of the model that was in use."""
    from rag.vectors import VectorStoreFactory

    with suppress(EmbeddingError):  # a model that is not there any more has no files to name
        VectorStoreFactory(postil.home.index_dir).discard(postil.fingerprint)


async def _run_jobs(postil: Postil, *, as_json: bool) -> None:
    with following(postil, as_json=as_json):
        try:
            await postil.ingest.start()  # queues every book that lacks embeddings of this model
            active = postil.library.jobs.all(active_only=True)
            await postil.ingest.wait([job.id for job in active])
        finally:
            await postil.ingest.close()
