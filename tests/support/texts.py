"""Parsing of texts that a test writes down."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.text import ParsedBook
from rag.parsing.txt import parse_txt


def parse_text(text: str | bytes, *, name: str = "book.txt") -> ParsedBook:
    """Write `text` (as UTF-8, if it is not bytes yet) to a file and parse that."""
    data = text.encode() if isinstance(text, str) else text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.txt"
        path.write_bytes(data)
        return parse_txt(path, name=name)
