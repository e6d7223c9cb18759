"""The table that gpu.py prints."""

from __future__ import annotations

import importlib.metadata
import sys
import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Line:
    """One figure.

    Attributes:
        what: what was measured.
        figure: how it came out.
        bar: what it should be; empty: nothing is asked.
        met: whether it is so; None: nothing is asked.
    """

    what: str
    figure: str
    bar: str = ""
    met: bool | None = None


class Report:
    """Collects figures and says them as they come.

    Attributes:
        lines: so far.
        failed: whether something came out wrong; a speed below its bar is not wrong.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.failed = False
        self._began = time.perf_counter()

    def say(self, text: str) -> None:
        """Tell what is being done."""
        sys.stdout.write(f"[{time.perf_counter() - self._began:6.1f} s] {text}\n")
        sys.stdout.flush()

    def note(self, what: str, figure: str) -> None:
        """Add a figure of which nothing is asked."""
        self._add(Line(what, figure))

    def at_least(self, what: str, value: float, bar: float, unit: str = "") -> None:
        """Add a figure with a bar."""
        self._add(Line(what, f"{value:,.4g}{unit}", f">= {bar:,.4g}{unit}", value >= bar))

    def check(self, what: str, value: float, most: float) -> None:
        """Add an error that must not be larger than `most`."""
        right = value <= most  # False for NaN
        self.failed |= not right
        self._add(Line(what, f"{value:.2e}", f"<= {most:.2e}", right))

    def check_share(self, what: str, share: float, least: float) -> None:
        """Add a share that must not be smaller than `least`."""
        self.failed |= not share >= least
        self._add(Line(what, f"{share:.4f}", f">= {least:.4f}", share >= least))

    def error(self, what: str, error: Exception) -> None:
        """Add something that could not be done."""
        self.failed = True
        self._add(
            Line(what, f"{type(error).__name__}: {str(error).splitlines()[0]}", "runs", False)
        )

    def print(self, device: torch.device, took_s: float) -> None:
        """Print the table."""
        width = max((len(line.what) for line in self.lines), default=10)
        sys.stdout.write(f"\n{describe(device)}; {took_s:.0f} s in all\n\n")
        for line in self.lines:
            met = {True: "yes", False: "NO", None: ""}[line.met]
            sys.stdout.write(f"{line.what:{width}}  {line.figure:>18}  {line.bar:>14}  {met}\n")

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self.say(f"{line.what}: {line.figure} {line.bar}")


def describe(device: torch.device) -> str:
    """Device and versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    versions = []
    for package in ("torch", "triton", "transformers"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    return f"{name}, {', '.join(versions)}"
