"""`endpoints`: the models that may answer."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from app.cli.session import HomeOption, JsonOption, opened
from app.cli.terminal import print_json, printable, say, write_utf8
from app.composition import Postil
from core.endpoints import DEFAULT_CONTEXT_TOKENS, LOCAL_PREFIX, Endpoint
from core.errors import EndpointError
from rag.llm.address import api_url

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
    json_: JsonOption = False,
) -> None:
    """Add an OpenAI-compatible endpoint. Nothing is contacted."""
    endpoint = Endpoint(
        _checked_name(name), _checked_url(url), _checked_model(model), context_tokens
    )
    key = sys.stdin.read().strip() if key_stdin else None
    with opened(context, home) as postil:
        postil.add_endpoint(endpoint, key)
    if json_:
        print_json(_as_json(endpoint))
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
        print_json([_as_json(endpoint) for endpoint in found])
        return
    for endpoint in found:
        write_utf8(printable(f"{endpoint.name}  {endpoint.model}  {endpoint.base_url}") + "\n")


def _as_json(endpoint: Endpoint) -> dict[str, str | int]:
    return {
        "name": endpoint.name,
        "url": endpoint.base_url,
        "model": endpoint.model,
        "context": endpoint.context_tokens,
    }


def remove(
    context: typer.Context, name: NameArgument, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Remove an endpoint and its key."""
    with opened(context, home) as postil:
        postil.remove_endpoint(name)
    if json_:
        print_json({"name": name})
    else:
        say(f"Removed “{printable(name)}”.")


def try_endpoint(
    context: typer.Context, name: NameArgument, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Ask an endpoint for one word, and say what failed if it does."""
    with opened(context, home) as postil:
        said = asyncio.run(_try(postil, name))
    if json_:
        print_json({"name": name, "said": said})
    else:
        write_utf8(f"{printable(said)}\n")


async def _try(postil: Postil, name: str) -> str:
    client = postil.llm_client(name)
    try:
        return await client.test()
    finally:
        await postil.close_models()


def _checked_name(name: str) -> str:
    if not name.strip() or not name.isprintable() or name.strip().startswith(LOCAL_PREFIX):
        raise typer.BadParameter(
            "a name has visible characters and does not begin with “local:”", param_hint="NAME"
        )
    return name.strip()


def _checked_model(model: str) -> str:
    if not model.strip():
        raise typer.BadParameter("it is empty", param_hint="--model")
    return model.strip()


def _checked_url(url: str) -> str:
    try:
        api_url(url, "/models")
    except EndpointError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    return url.strip().rstrip("/")
