"""Printing for programs (one JSON document) and for people, and errors as exit codes."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import typer

from core.errors import PostilError

DONE, FAILED, WRONG_USAGE, NOTHING_FOUND = 0, 1, 2, 3

log = logging.getLogger(__name__)


def run_guarded(application: typer.Typer) -> int:
    """Run a command line; an error of ours becomes a sentence on standard error and a code.

    Typer itself ends the process after wrong usage (2) and where a command asks for a code.
    """
    try:
        application()
    except PostilError as error:
        log.info("command failed: %r", error)
        say(str(error))
        return FAILED
    return DONE


def say(message: str) -> None:
    """Tell the person at the terminal; standard output stays for results."""
    sys.stderr.write(f"postil: {message}\n")


def print_json(document: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print one JSON document on a line of its own."""
    write_utf8(json.dumps(document, ensure_ascii=False) + "\n")


def write_utf8(text: str) -> None:
    """Write text to standard output as UTF-8, whatever the terminal's encoding, nothing added."""
    sys.stdout.flush()
    # A file's name can hold bytes that are no text; in JSON they become valid `\udcxx` escapes.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    """Return text from a book or a model without control characters a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)
