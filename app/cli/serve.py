"""`serve`: a folder of model weights as an OpenAI-compatible server.

A folder without a model, an address that is taken and a package that is missing end the command
with 1 at once. What goes wrong later, while the model loads, is told by `/health` until somebody
stops the server, so that whoever started it can read the reason; it then ends with 1 too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.session import HomeOption, open_home
from app.cli.terminal import DONE, FAILED, print_json, say, write_utf8
from core.home import model_cache_dir
from core.logs import hide

if TYPE_CHECKING:
    from inference.engine import Engine
    from inference.server.service import Load, ReportProgress, State
    from inference.server.settings import ServerSettings

DEFAULT_PORT = 8000
KEY_VARIABLE = "POSTIL_API_KEY"
LISTENING_TIMEOUT_S = 30.0
_NEEDED = ("torch", "jinja2", "prometheus_client", "starlette", "uvicorn")

Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["none", "int8", "int4"]


def register(application: typer.Typer) -> None:
    """Add the command."""
    application.command()(serve)


def serve(
    context: typer.Context,
    model_dir: Annotated[
        Path, typer.Argument(metavar="MODEL_DIR", help="Holds config.json and safetensors files.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = DEFAULT_PORT,
    device: Annotated[Device, typer.Option(help="What to compute on.")] = "auto",
    dtype: Annotated[Dtype, typer.Option(help="What to compute in.")] = "auto",
    quantize: Annotated[Quantize, typer.Option(help="What to store the weights as.")] = "none",
    max_model_len: Annotated[
        int | None,
        typer.Option(min=1, metavar="TOKENS", help="Most tokens of prompt and answer together."),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            envvar=KEY_VARIABLE,
            help="Ask for this key; may be repeated. The variable keeps it out of process lists.",
        ),
    ] = None,
    model_name: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What to call the model; may be repeated."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name that the server goes by."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A web origin that may call the server (CORS)."),
    ] = None,
    home: HomeOption = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print a JSON document per event, nothing else.")
    ] = False,
) -> None:
    """Serve a folder of model weights as an OpenAI-compatible endpoint."""
    keys = _checked_keys(api_key or [])
    _require_packages()
    _require_model(model_dir)
    listener = _listen(host, port)
    open_home(context, home)
    from inference.server.settings import ServerSettings, is_loopback

    settings = ServerSettings(
        model_names=tuple(model_name or ()),
        api_keys=keys,
        allowed_hosts=_allowed_hosts(host, allowed_host or []),
        allowed_origins=tuple(allow_origin or ()),
    )
    if not keys and not is_loopback(host):
        say(f"whoever reaches {host} can use this server; --api-key or {KEY_VARIABLE} asks a key.")

    def load(report: ReportProgress) -> Engine:
        from inference.engine import Engine

        return Engine.from_pretrained(
            model_dir,
            device=device,
            dtype=dtype,
            quantization=quantize,
            max_model_len=max_model_len,
            cache_folder=model_cache_dir() / "quantized",
            on_progress=report,
        )

    name = model_dir.resolve().name
    raise typer.Exit(_run(load, settings, name, listener, host, as_json=json_))


class Announcer:
    """Tells of the server's events, on whichever threads they come, listening first."""

    def __init__(self, url: str, model: str, *, as_json: bool) -> None:
        self._url = url
        self._model = model
        self._as_json = as_json
        self._is_listening = threading.Event()

    def listening(self) -> None:
        """Connections are taken."""
        if self._as_json:
            self._print({"event": "listening", "url": self._url, "model": self._model})
        else:
            write_utf8(f"{self._model} is served at {self._url}\n")
            say("the model is loading; Ctrl+C stops the server.")
        self._is_listening.set()

    def loaded(self, state: State) -> None:
        """The model is ready, or has failed."""
        self._is_listening.wait(LISTENING_TIMEOUT_S)
        if state.status == "ready":
            if self._as_json:
                self._print({"event": "ready", "seconds": round(state.load_s, 3)})
            else:
                say(f"ready after {state.load_s:.1f} s.")
        elif self._as_json:
            self._print({"event": "failed", "reason": state.reason})
        else:
            say(f"{state.reason} /health goes on telling this until the server is stopped.")

    def _print(self, document: dict[str, object]) -> None:
        with suppress(OSError):  # whoever started the server need not read on
            print_json(document)


def _run(
    load: Load,
    settings: ServerSettings,
    model: str,
    listener: socket.socket,
    host: str,
    *,
    as_json: bool,
) -> int:
    """Serve until a signal comes, and return the exit code."""
    from inference.server.app import create_app
    from inference.server.running import Server, url_of

    shown = settings.model_names[0] if settings.model_names else model
    announcer = Announcer(url_of(listener, host), shown, as_json=as_json)
    app = create_app(load, settings, model_name=model, on_change=announcer.loaded)

    async def serve_until_stopped() -> None:
        server = Server(app, grace_s=settings.grace_s, on_listening=announcer.listening)
        await server.serve(sockets=[listener])

    asyncio.run(serve_until_stopped())
    service = app.state.service
    code = FAILED if service.state.status == "failed" else DONE
    if service.is_loading:  # torch is in the middle of something; it holds nothing of ours
        logging.shutdown()
        os._exit(code)
    return code


def _listen(host: str, port: int) -> socket.socket:
    from inference.server.running import listen

    try:
        return listen(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _failed(f"cannot listen on {host}, port {port}: {reason}.") from error


def _allowed_hosts(host: str, further: Sequence[str]) -> tuple[str, ...]:
    """Return what the Host header may name; nothing: anything, where nobody said the names."""
    from inference.server.settings import LOOPBACK_HOSTS, is_loopback

    if is_loopback(host) or further:
        return (*LOOPBACK_HOSTS, host, *further)
    return ()


def _checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    for key in keys:
        if not key.strip() or not key.isascii() or not key.isprintable():
            raise typer.BadParameter("a key has visible ASCII characters", param_hint="--api-key")
        hide(key)
    return tuple(key.strip() for key in keys)


def _require_packages() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise _failed(
            f"the engine needs {', '.join(missing)}: install it with pip install 'postil[engine]'."
        )


def _require_model(folder: Path) -> None:
    from inference.errors import ModelError
    from inference.model_folder import require_model_folder, require_weights

    try:
        require_model_folder(folder)
        require_weights(folder)
    except ModelError as error:
        raise _failed(str(error)) from error


def _failed(reason: str) -> typer.Exit:
    say(reason)
    return typer.Exit(FAILED)
