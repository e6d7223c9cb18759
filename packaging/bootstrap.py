"""Run Postil, or all of its checks, from a fresh checkout.

    python3 packaging/bootstrap.py run                        make .venv, install, open Postil
    python3 packaging/bootstrap.py test [--all] [PYTEST...]   make .venv, install, run every check

Standard library only. Everything that is installed goes into `.venv` beside `pyproject.toml`, at
the versions of `packaging/constraints.txt`. When nothing changed since the last time, nothing is
installed and the start is immediate.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)
USAGE = """usage: python3 packaging/bootstrap.py run
       python3 packaging/bootstrap.py test [--all] [pytest arguments]

run    install what is needed and open Postil; without a display, show it at work in the terminal
test   install what is needed and run every check and test; --all adds the slow tests
"""
DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Run one of the two commands and return the exit code."""
    if arguments[:1] not in (["run"], ["test"]) or (arguments[0] == "run" and arguments[1:]):
        print(USAGE, end="", file=sys.stdout if arguments in (["-h"], ["--help"]) else sys.stderr)
        return DONE if arguments in (["-h"], ["--help"]) else WRONG_USAGE
    complaint = python_complaint(sys.version_info[:2])
    if complaint:
        print(complaint, file=sys.stderr)
        return FAILED
    # Only now: these modules need not be readable by a Python that is too old.
    from environment import InstallError
    from system_libraries import MissingLibrariesError

    try:
        return run() if arguments[0] == "run" else test(arguments[1:])
    except (InstallError, MissingLibrariesError) as error:
        print(f"\n{error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130


def python_complaint(version: tuple[int, int]) -> str | None:
    """Say what is wrong with this Python and which one to use instead, None where it will do."""
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return None
    # Imported here: this module is parsed by whatever Python the reader has.
    from shutil import which

    minors = range(NEWEST_PYTHON[1], OLDEST_PYTHON[1] - 1, -1)
    found = next((name for name in (f"python3.{minor}" for minor in minors) if which(name)), None)
    way_out = (
        f"Run this instead:\n\n    {found} packaging/bootstrap.py {' '.join(sys.argv[1:])}"
        if found
        else "Install one of them (https://www.python.org/downloads/) and run this again with it."
    )
    return f"Postil needs Python 3.11, 3.12 or 3.13; this is {version[0]}.{version[1]}. {way_out}"


def run() -> int:
    """Open the window; where there is no display, do the main job in the terminal instead."""
    from environment import Environment
    from system_libraries import provide_libraries

    environment = Environment(ROOT)
    environment.install(extras=("engine",))
    if not has_display():
        return _call([str(environment.python), "-m", "app.headless"])
    provide_libraries(with_display=True)
    return _call([str(environment.python), "-m", "app"])


def test(arguments: list[str]) -> int:
    """Run every check and test."""
    from checks import all_checks, run_checks
    from environment import Environment
    from system_libraries import provide_libraries

    environment = Environment(ROOT)
    environment.install(extras=("dev",))
    provide_libraries(with_display=False)
    pytest_arguments = [argument for argument in arguments if argument != "--all"]
    checks = all_checks(environment, pytest_arguments, slow="--all" in arguments)
    return run_checks(checks, ROOT)


def has_display() -> bool:
    """Say whether a window can be opened."""
    if os.environ.get("QT_QPA_PLATFORM", "").startswith(("offscreen", "minimal")):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _call(command: list[str]) -> int:
    return subprocess.call(command, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
