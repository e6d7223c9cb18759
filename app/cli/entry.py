"""The `postil` command: its options, its commands and its exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing found.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli import ask, books, embedding, endpoints, evaluate, library_care, models, planned, serve
from app.cli.session import HomeOption, open_home
from app.cli.terminal import run_guarded

application = typer.Typer(
    name="postil",
    help="Read your books, ask them questions, and get answers in their own words.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"postil {version('postil')}")
        raise typer.Exit


@application.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    home: HomeOption = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Open the window, or run one of the commands."""
    context.obj = home
    if context.invoked_subcommand is None:
        from app.main import run_window

        raise typer.Exit(run_window(open_home(context, home)))


books.register(application)
ask.register(application)
endpoints.register(application)
embedding.register(application)
library_care.register(application)
evaluate.register(application)
serve.register(application)
models.register(application)
planned.register(application)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run_guarded(application))
