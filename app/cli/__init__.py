"""The command line. Other programs rely on its commands, fields and exit codes."""

from __future__ import annotations

import multiprocessing


def main() -> None:
    """Run the command line and exit with its code."""
    # The ingest worker is spawned from this program, and so imports this package again. It comes
    # no further than here where Postil is packaged, and has no need of the commands anywhere.
    multiprocessing.freeze_support()
    from app.cli.entry import main as run

    run()
