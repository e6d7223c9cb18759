"""The command line. Other programs rely on its commands, fields and exit codes."""

from app.cli.entry import main

__all__ = ["main"]
