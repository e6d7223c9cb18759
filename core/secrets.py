"""API keys: in the system's keyring, or, where there is none, in encrypted files of the owner's.

The files keep a key from being read by other users, from backups of the library and from a glance;
they cannot keep it from a program that runs as the same user, and nor can most keyrings.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import secrets
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from core.errors import SecretError
from core.home import Home
from core.logs import hide

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

log = logging.getLogger(__name__)

T = TypeVar("T")

_PROBE_TIMEOUT_S = 5.0
_KEYRING_TIMEOUT_S = 60.0  # long enough to type the keyring's password
_LOWEST_PRIORITY = 1.0  # below it keyring puts what is no safe place: plain files, no keyring
_KEYRING_VARIABLES = {"DBUS_SESSION_BUS_ADDRESS", "PYTHON_KEYRING_BACKEND"}
_KEY_FILE = "file.key"


class SecretStore(Protocol):
    """Keys by name. Thread-safe. All methods raise SecretError where the place refuses.

    A call may last until the reader has unlocked the keyring: not for the window's own thread.
    """

    @property
    def place(self) -> str:
        """Where keys are kept, in words for the reader."""

    def get(self, name: str) -> str | None:
        """Return a key, None where there is none of that name."""

    def set(self, name: str, value: str) -> None:
        """Keep a key, instead of the one of that name."""

    def delete(self, name: str) -> None:
        """Forget a key; none of that name is no error."""


def open_secrets(home: Home) -> SecretStore:
    """Return the store of a home's keys; the keyring is looked for when it is first used."""
    return _Secrets(KeyFiles(home.secrets_dir), service=f"Postil ({home.root})")


class _Secrets:
    """Keeps keys in the keyring where there is one that works, else in files."""

    def __init__(self, files: KeyFiles, service: str) -> None:
        self._files = files
        self._service = service
        self._warned = False

    @cached_property
    def _keyring(self) -> Keyring | None:
        return Keyring.find(self._service)

    @property
    def place(self) -> str:
        return self._files.place if self._keyring is None else self._keyring.place

    def get(self, name: str) -> str | None:
        # A file of that name means that the keyring failed when the key was set.
        value = self._files.get(name)
        if value is None and self._keyring is not None:
            value = self._keyring.get(name)
        if value is not None:
            hide(value)
        return value

    def set(self, name: str, value: str) -> None:
        hide(value)
        if self._keyring is None:
            self._warn_once("There is no system keyring.")
        else:
            try:
                self._keyring.set(name, value)
            except SecretError as error:
                self._warn_once(str(error))
            else:
                self._files.delete(name)
                return
        self._files.set(name, value)

    def delete(self, name: str) -> None:
        self._files.delete(name)
        if self._keyring is not None:
            self._keyring.delete(name)

    def _warn_once(self, reason: str) -> None:
        if not self._warned:
            log.warning("%s API keys are kept in %s.", reason, self._files.place)
        self._warned = True


class KeyFiles:
    """One Fernet-encrypted file for each key in a folder that only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """Where keys are kept, in words for the reader."""
        return f"encrypted files in {self._folder}"

    def get(self, name: str) -> str | None:
        """Return a key, None where there is none of that name."""
        from cryptography.fernet import Fernet, InvalidToken

        path = self._path(name)
        try:
            if not path.exists():
                return None
            key = (self._folder / _KEY_FILE).read_bytes()
            return Fernet(key).decrypt(path.read_bytes()).decode()
        except (OSError, ValueError, InvalidToken) as error:
            raise SecretError(f"The key kept in {path} cannot be read. Enter it again.") from error

    def set(self, name: str, value: str) -> None:
        """Keep a key, instead of the one of that name."""
        from cryptography.fernet import Fernet

        try:
            fernet = Fernet(self._file_key())
            _write_owned(self._path(name), fernet.encrypt(value.encode()))
        except (OSError, ValueError) as error:
            raise SecretError(f"The key cannot be kept in {self._folder}: {error}.") from error

    def delete(self, name: str) -> None:
        """Forget a key; none of that name is no error."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise SecretError(f"The key in {self._folder} cannot be deleted: {error}.") from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.enc"

    def _file_key(self) -> bytes:
        """Return the key that the files are encrypted with, made on first use."""
        from cryptography.fernet import Fernet

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        path = self._folder / _KEY_FILE
        if not path.exists():
            _write_owned(path, Fernet.generate_key(), place=_put_where_nothing_is)
        return path.read_bytes()


def _write_owned(
    path: Path, data: bytes, place: Callable[[Path, Path], object] = os.replace
) -> None:
    """Write a file for its owner's eyes, whole or not at all.

    Args:
        path: where it goes.
        data: what is in it.
        place: puts the finished file, its first argument, where the second says.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put_where_nothing_is(temporary: Path, path: Path) -> None:
    """Give a file its name unless there is one of that name: of two first starts the first wins."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:
        # Some file systems, exFAT among them, have no links.
        if not path.exists():
            temporary.replace(path)


class Keyring:
    """The system's keyring, never waited for longer than a person takes to unlock it."""

    def __init__(self, backend: KeyringBackend, service: str) -> None:
        self._backend = backend
        self._service = service

    @classmethod
    def find(cls, service: str) -> Keyring | None:
        """Return the system's keyring, None where there is none or it does not answer."""
        if sys.platform.startswith("linux") and not _KEYRING_VARIABLES & os.environ.keys():
            return None  # without a session bus the search would be in vain, and slow
        try:
            backend = _within(_PROBE_TIMEOUT_S, _find_backend)
        except SecretError:
            return None
        return None if backend is None else cls(backend, service)

    @property
    def place(self) -> str:
        """Where keys are kept, in words for the reader."""
        return f"the system's keyring ({self._backend.name})"

    def get(self, name: str) -> str | None:
        """Return a key, None where there is none of that name."""
        return _within(_KEYRING_TIMEOUT_S, lambda: self._backend.get_password(self._service, name))

    def set(self, name: str, value: str) -> None:
        """Keep a key, instead of the one of that name."""
        _within(_KEYRING_TIMEOUT_S, lambda: self._backend.set_password(self._service, name, value))

    def delete(self, name: str) -> None:
        """Forget a key; none of that name is no error."""
        if self.get(name) is not None:
            _within(_KEYRING_TIMEOUT_S, lambda: self._backend.delete_password(self._service, name))


def _find_backend() -> KeyringBackend | None:
    import keyring

    backend = keyring.get_keyring()
    return backend if backend.priority >= _LOWEST_PRIORITY else None


def _within(timeout_s: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, from a thread that is left behind if it takes too long.

    Raises:
        SecretError: it took too long, or raised. Keyrings raise errors of many libraries.
    """
    results: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), None))
        except Exception as error:  # noqa: BLE001 - handed to the caller
            results.put((None, error))

    threading.Thread(target=run, name="keyring", daemon=True).start()
    try:
        result, error = results.get(timeout=timeout_s)
    except queue.Empty:
        raise SecretError(
            "The system's keyring does not answer. Unlock it and try again."
        ) from None
    if error is not None:
        raise SecretError(f"The system's keyring refuses: {error}.") from error
    return cast("T", result)
