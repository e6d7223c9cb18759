"""The local engine and its OpenAI-compatible server.

`from inference import Engine, SamplingParams` is the library; `inference.engine` shows how to use
it. Nothing heavy is imported before it is asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.completion import Completion
    from inference.engine import Engine
    from inference.requests import GenerationRequest, GrammarSpec, SamplingParams

# ONNX Runtime, which multiplies rounded weights on some processors, would report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Completion", "Engine", "GenerationRequest", "GrammarSpec", "SamplingParams"]

_MODULES = {
    "Completion": "completion",
    "Engine": "engine",
    "GenerationRequest": "requests",
    "GrammarSpec": "requests",
    "SamplingParams": "requests",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
