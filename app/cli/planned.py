"""Commands whose work is not built yet: they say so and exit with 2."""

from __future__ import annotations

import typer

from app.cli.terminal import WRONG_USAGE, say

_PLANNED = {
    "models": "List, download, import and remove local models.",
    "export": "Export notes and conversations.",
}


def register(application: typer.Typer) -> None:
    """Add the commands."""
    for name, help_text in _PLANNED.items():
        _add(application, name, help_text)


def _add(application: typer.Typer, name: str, help_text: str) -> None:
    def command(context: typer.Context) -> None:
        del context
        say(f"`postil {name}` is not part of this version yet.")
        raise typer.Exit(WRONG_USAGE)

    command.__doc__ = f"{help_text} (Not in this version yet.)"
    application.command(
        name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
    )(command)
