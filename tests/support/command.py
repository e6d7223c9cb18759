"""Runs the command line as another program would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.stdout)

    @property
    def json_lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]


def postil(*arguments: str | Path, home: Path, stdin: str = "", **environment: str) -> Outcome:
    """Run `postil` in a process of its own, on a home of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments), "--home", str(home)],
        input=stdin.encode(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **environment,
        },
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
