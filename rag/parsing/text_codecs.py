"""Which of Python's codecs are encodings of text files."""

from __future__ import annotations

import codecs

# Escapes for domain names and source code, and a codec that always fails.
_NOT_FOR_FILES = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}


def text_codec(name: str) -> str | None:
    """Return Python's name of the encoding called `name`, None where it is none of text files."""
    try:
        codec = codecs.lookup(name).name
        "a".encode(codec)  # a LookupError for codecs that are no encodings of text, such as base64
    except (LookupError, ValueError):
        return None
    return None if codec in _NOT_FOR_FILES else codec
