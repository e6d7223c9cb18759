"""Keys: kept, hidden, and never waited for."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

import core.secrets
from core.errors import SecretError
from core.home import Home
from core.logs import redact
from core.secrets import SecretStore, open_secrets

KEY = "a-key-that-looks-like-nothing-0"


class MemoryKeyring(KeyringBackend):
    """Stands for the system's keyring, which a test must not touch."""

    priority = 5  # type: ignore[assignment]
    name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.broken:
            raise KeyringLocked("locked")
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    return home


def use_keyring(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "set by the test")
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring()
    use_keyring(monkeypatch, backend)
    return backend


@pytest.fixture(params=["files", "keyring"])
def secrets(
    request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch
) -> SecretStore:
    use_keyring(monkeypatch, NoKeyring() if request.param == "files" else MemoryKeyring())
    return open_secrets(home)


@pytest.mark.expects_logs
def test_a_key_is_kept_replaced_and_forgotten(secrets: SecretStore) -> None:
    assert secrets.get("home") is None
    secrets.delete("home")
    secrets.set("home", KEY)
    secrets.set("work/../é", "another-key")
    assert secrets.get("home") == KEY
    secrets.set("home", "changed-key")
    assert secrets.get("home") == "changed-key"
    assert secrets.get("work/../é") == "another-key"
    secrets.delete("home")
    assert secrets.get("home") is None
    assert secrets.get("work/../é") == "another-key"


@pytest.mark.expects_logs
def test_a_key_is_in_no_log_and_no_repr(
    secrets: SecretStore, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.set("home", KEY)
    assert KEY not in caplog.text
    assert KEY not in repr(secrets)
    assert KEY not in redact(f"sent {KEY} to the server")


@pytest.mark.expects_logs
class TestWithoutAKeyring:
    @pytest.fixture(autouse=True)
    def _without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_keyring(monkeypatch, NoKeyring())

    def test_keys_survive_a_restart(self, home: Home) -> None:
        open_secrets(home).set("home", KEY)
        assert open_secrets(home).get("home") == KEY

    def test_the_reader_is_told_once_where_keys_are(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        secrets = open_secrets(home)
        assert secrets.get("home") is None
        assert caplog.records == []
        secrets.set("home", KEY)
        secrets.set("work", KEY)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert str(home.secrets_dir) in caplog.text
        assert str(home.secrets_dir) in secrets.place

    @pytest.mark.skipif(os.name == "nt", reason="permissions are of another kind there")
    def test_files_are_encrypted_and_the_owners(self, home: Home) -> None:
        open_secrets(home).set("home", KEY)
        files = list(home.secrets_dir.iterdir())
        assert len(files) == 2
        assert home.secrets_dir.stat().st_mode & 0o777 == 0o700
        for file in files:
            assert file.stat().st_mode & 0o777 == 0o600
            assert KEY.encode() not in file.read_bytes()
            assert "home" not in file.name

    def test_a_damaged_file_is_an_error_in_words(self, home: Home) -> None:
        secrets = open_secrets(home)
        secrets.set("home", KEY)
        for file in home.secrets_dir.iterdir():
            file.write_bytes(b"damaged")
        with pytest.raises(SecretError, match="Enter it again"):
            secrets.get("home")

    def test_two_first_starts_at_once_use_one_file_key(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_secrets(home).set("home", KEY)
        exists = Path.exists

        def looked_too_early(path: Path) -> bool:
            return path.suffix != ".key" and exists(path)

        # The other start looked for the file key before this one had written it.
        with monkeypatch.context() as patch:
            patch.setattr(Path, "exists", looked_too_early)
            open_secrets(home).set("work", KEY)
        assert open_secrets(home).get("home") == KEY
        assert open_secrets(home).get("work") == KEY

    def test_a_file_system_without_links_will_do(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        open_secrets(home).set("home", KEY)
        assert open_secrets(home).get("home") == KEY

    def test_a_folder_that_cannot_be_used_is_an_error_in_words(self, tmp_path: Path) -> None:
        (tmp_path / "secrets").write_text("a file where the folder should be")
        with pytest.raises(SecretError, match="cannot be kept"):
            open_secrets(Home(tmp_path)).set("home", KEY)


class TestWithAKeyring:
    def test_keys_are_there_and_nowhere_else(self, home: Home, memory: MemoryKeyring) -> None:
        secrets = open_secrets(home)
        secrets.set("home", KEY)
        assert list(memory.passwords.values()) == [KEY]
        assert list(home.secrets_dir.iterdir()) == []
        assert "keyring" in secrets.place

    def test_two_homes_do_not_share_keys(self, tmp_path: Path, memory: MemoryKeyring) -> None:
        open_secrets(Home(tmp_path / "a")).set("home", KEY)
        assert open_secrets(Home(tmp_path / "b")).get("home") is None

    @pytest.mark.expects_logs
    def test_a_keyring_that_refuses_is_replaced_by_files(
        self, home: Home, memory: MemoryKeyring
    ) -> None:
        memory.broken = True
        secrets = open_secrets(home)
        secrets.set("home", KEY)
        assert open_secrets(home).get("home") == KEY
        memory.broken = False
        secrets.set("home", "newer-key")
        assert open_secrets(home).get("home") == "newer-key"
        assert [file.suffix for file in home.secrets_dir.iterdir()] == [".key"]

    def test_a_keyring_that_never_answers_is_not_waited_for(
        self, home: Home, memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(core.secrets, "_KEYRING_TIMEOUT_S", 0.1)
        answer = threading.Event()
        monkeypatch.setattr(memory, "get_password", lambda *_: answer.wait(30) and None)
        with pytest.raises(SecretError, match="does not answer"):
            open_secrets(home).get("home")
        answer.set()

    def test_a_search_that_never_ends_finds_no_keyring(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = threading.Event()
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "set by the test")
        monkeypatch.setattr(core.secrets, "_PROBE_TIMEOUT_S", 0.1)
        monkeypatch.setattr(keyring, "get_keyring", lambda: answer.wait(30) and NoKeyring())
        assert "encrypted files" in open_secrets(home).place
        answer.set()
