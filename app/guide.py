"""The user guide as a file that can be added to the library."""

from __future__ import annotations

from pathlib import Path

from core.errors import StorageError
from core.home import Home


def guide_path(home: Home) -> Path:
    """Write the guide into the home and return where it is; it is the same file every time.

    Raises:
        StorageError: the home cannot be written.
    """
    from rag.guide import build_guide

    try:
        return build_guide(home.root / "guide" / "postil-guide.epub")
    except OSError as error:
        raise StorageError(f"The user guide cannot be written: {error}.") from error
