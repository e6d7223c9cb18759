"""Why an answer came out as it did."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StageTrace:
    """One stage of the way from question to answer.

    Attributes:
        name: "retrieve", "expand", "budget", "prompt", "stream" or "extract", "verify".
        elapsed_ms: how long it took.
        seen: what it saw and decided, as values that JSON can hold.
    """

    name: str
    elapsed_ms: float
    seen: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RagTrace:
    """All stages of one answer, in order."""

    stages: tuple[StageTrace, ...] = ()


def trace_json(trace: RagTrace) -> dict[str, Any]:
    """Return a trace as values that JSON can hold: `{"stages": [{"name", "elapsed_ms", ...}]}`."""
    return {
        "stages": [
            {"name": stage.name, "elapsed_ms": round(stage.elapsed_ms, 3), **stage.seen}
            for stage in trace.stages
        ]
    }


@dataclass(slots=True)
class TraceRecorder:
    """Collects the stages of one answer while they run."""

    _stages: list[StageTrace] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what the block puts into the dictionary is what the stage saw."""
        seen: dict[str, Any] = {}
        started = time.perf_counter()
        try:
            yield seen
        finally:
            elapsed_ms = 1000 * (time.perf_counter() - started)
            self._stages.append(StageTrace(name, elapsed_ms, seen))

    def trace(self) -> RagTrace:
        """Return what was collected so far."""
        return RagTrace(tuple(self._stages))
