"""Names of files as they can be shown: to the system they are bytes, and need not be text."""

from __future__ import annotations

import os
from pathlib import Path


def readable(name: str | Path) -> str:
    """Return a name or path with a sign of replacement for each byte that is no text in it."""
    return os.fsencode(name).decode(errors="replace")
