"""`endpoints`: the models that may answer."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from app.cli.session import HomeOption, JsonOption, opened
from app.cli.terminal import print_json, printable, say, write_utf8
from core.endpoints import DEFAULT_CONTEXT_TOKENS, Endpoint

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The endpoint's name.")]

MIN_CONTEXT_TOKENS = 512
"""Less than this holds no passage and no answer."""


def register(application: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The models that may answer.", no_args_is_help=True)
    group.command()(add)
    group.command("list")(list_endpoints)
    group.command()(remove)
    group.command("test")(try_endpoint)
    application.add_typer(group, name="endpoints")


def add(
    context: typer.Context,
    name: NameArgument,
    url: Annotated[str, typer.Option(help="Base URL, up to and with /v1.")],
    model: Annotated[str, typer.Option(help="The model's name at the endpoint.")],
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the API key from standard input.")
    ] = False,
    context_tokens: Annotated[
        int, typer.Option("--context", min=MIN_CONTEXT_TOKENS, help="Tokens the model takes.")
    ] = DEFAULT_CONTEXT_TOKENS,
    home: HomeOption = None,
) -> None:
    """Add an OpenAI-compatible endpoint. Nothing is contacted."""
    endpoint = Endpoint(_checked_name(name), _checked_url(url), model, context_tokens)
    key = sys.stdin.read().strip() if key_stdin else None
    with opened(context, home) as postil:
        postil.add_endpoint(endpoint, key)
    if not endpoint.is_loopback:
        say(
            f"questions put to “{name}” send passages of your books to {endpoint.host}. "
            f"`postil endpoints remove {name}` ends that."
        )


def list_endpoints(
    context: typer.Context, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """List the endpoints; keys are never shown."""
    with opened(context, home) as postil:
        found = postil.library.endpoints.all()
    if json_:
        print_json(
            [
                {
                    "name": endpoint.name,
                    "url": endpoint.base_url,
                    "model": endpoint.model,
                    "context": endpoint.context_tokens,
                }
                for endpoint in found
            ]
        )
        return
    for endpoint in found:
        write_utf8(printable(f"{endpoint.name}  {endpoint.model}  {endpoint.base_url}") + "\n")


def remove(context: typer.Context, name: NameArgument, home: HomeOption = None) -> None:
    """Remove an endpoint and its key."""
    with opened(context, home) as postil:
        postil.remove_endpoint(name)
    say(f"Removed “{name}”.")


def try_endpoint(context: typer.Context, name: NameArgument, home: HomeOption = None) -> None:
    """Ask an endpoint for one word, and say what failed if it does."""
    with opened(context, home) as postil:
        client = postil.llm_client(name)

        async def run() -> str:
            try:
                return await client.test()
            finally:
                await postil.close_models()

        write_utf8(printable(asyncio.run(run())) + "\n")


def _checked_name(name: str) -> str:
    if not name.strip() or not name.isprintable() or name.startswith("local:"):
        raise typer.BadParameter(
            "a name has visible characters and does not begin with “local:”", param_hint="NAME"
        )
    return name.strip()


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter("it must begin with http:// or https://", param_hint="--url")
    return url.rstrip("/")
