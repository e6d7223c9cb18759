"""`rebuild-index` and `doctor`: care of the library."""

from __future__ import annotations

import typer

from app.cli.session import HomeOption, JsonOption, open_home, opened
from app.cli.terminal import FAILED, print_json, printable, say, write_utf8
from app.doctor import examine


def register(application: typer.Typer) -> None:
    """Add the commands."""
    application.command("rebuild-index")(rebuild_index)
    application.command()(doctor)


def rebuild_index(
    context: typer.Context, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Make the vector index anew from the stored embeddings; nothing is embedded again."""
    with opened(context, home) as postil:
        count = postil.rebuild_index()
    if json_:
        print_json({"passages": count})
    else:
        say(f"The index holds {count} passages.")


def doctor(context: typer.Context, home: HomeOption = None, json_: JsonOption = False) -> None:
    """Look over the installation and the library, and say what is amiss."""
    findings = examine(open_home(context, home))
    if json_:
        print_json(
            [
                {"check": finding.check, "ok": finding.ok, "detail": finding.detail}
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            mark = "ok " if finding.ok else "BAD"
            write_utf8(f"{mark}  {finding.check}: {printable(finding.detail)}\n")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)
