"""Safetensors files put together by hand, right and wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def safetensors_bytes(header: Mapping[str, Any] | str | bytes, data: bytes = b"") -> bytes:
    """A file of this header, as it stands, and this data."""
    if isinstance(header, Mapping):
        header = json.dumps(header)
    if isinstance(header, str):
        header = header.encode()
    return len(header).to_bytes(8, "little") + header + data


def described(dtype: str, shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    """A tensor as the header describes it."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
