"""The log: what is in it, and what never is."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.home import Home
from core.logs import RedactingFormatter, SharedLogFile, hide, redact, start_logging

PROGRAM = """
import logging, sys, threading
from pathlib import Path
from core.home import Home
from core.logs import hide, start_logging

start_logging(Home(Path(sys.argv[1])))
hide("plain-looking-secret")
log = logging.getLogger("test")
log.info("a plain line, plain-looking-secret")
log.debug("too fine")
logging.getLogger("httpx").info("HTTP Request: GET")
def fail():
    raise ValueError("in a thread, sk-abcdefghijkl")
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
raise RuntimeError("at the top, Bearer abcdefghijkl")
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [hidden]"),
        ("{'authorization': 'Bearer abc'}", "{'authorization': 'Bearer [hidden]'}"),
        ("api_key=abc123, next", "api_key=[hidden], next"),
        ('"apiKey": "abc123"}', '"apiKey": "[hidden]"}'),
        ("token: abc", "token: [hidden]"),
        ("key sk-proj-abc_DEF-12345678", "key [hidden]"),
        ("hf_abcdefghijklm", "[hidden]"),
        ("a bear is no bearer of tokens", "a bear is no bearer [hidden] tokens"),
        ("the task-based approach", "the task-based approach"),
        ("12 tokens a second", "12 tokens a second"),
    ],
)
def test_what_looks_like_a_key_is_hidden(line: str, expected: str) -> None:
    assert redact(line) == expected


def test_a_hidden_secret_is_gone_from_arguments_and_tracebacks() -> None:
    hide("my-own-words")
    formatter = RedactingFormatter("%(message)s")
    try:
        raise ValueError("my-own-words")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, "x.py", 1, "sent %s", ("my-own-words",), sys.exc_info()
        )
    assert "my-own-words" not in formatter.format(record)
    assert "ValueError: [hidden]" in formatter.format(record)


def test_a_program_logs_its_own_end(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert finished.returncode == 1
    log = (Home(tmp_path).logs_dir / "postil.log").read_text(encoding="utf-8")
    assert "INFO" in log
    assert "a plain line, [hidden]" in log
    assert "in worker" in log
    assert "ValueError: in a thread, [hidden]" in log
    assert "RuntimeError: at the top, Bearer [hidden]" in log
    assert "too fine" not in log
    assert "HTTP Request" not in log


def test_a_folder_that_cannot_be_written_does_not_stop_the_program(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    script = (
        "import sys; from pathlib import Path; from core.home import Home; "
        "from core.logs import start_logging; start_logging(Home(Path(sys.argv[1])))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, cwd=Path(__file__).parents[2]
    )


@pytest.fixture
def _own_handlers() -> Iterator[None]:
    """Take away after the test what it added to the process's logging."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    for handler in [other for other in root.handlers if other not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("_own_handlers")
def test_logging_that_is_started_twice_writes_each_line_once(tmp_path: Path) -> None:
    homes = [Home(tmp_path / name) for name in ("first", "second")]
    for home in (*homes, homes[1]):
        start_logging(home)
    logging.getLogger("test").info("only here")
    first, second = ((home.logs_dir / "postil.log").read_text("utf-8") for home in homes)
    assert "only here" not in first
    assert second.count("only here") == 1


@pytest.mark.usefixtures("_own_handlers")
def test_a_name_that_is_no_text_can_be_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(Home(tmp_path))
    logging.getLogger("test").info("caf\udce9.txt")
    assert r"caf\udce9.txt" in (Home(tmp_path).logs_dir / "postil.log").read_text("utf-8")
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_renamed_is_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows' refusal is scripted: other systems rename open files."""

    def refuse(source: Path, _target: Path) -> None:
        raise PermissionError(13, "used by another process", str(source))

    path, old = tmp_path / "postil.log", tmp_path / "postil.log.1"
    old.write_text("old")
    handler = SharedLogFile(path, maxBytes=10, backupCount=2)
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "a line longer than that", (), None)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        for _ in range(3):
            handler.handle(record)
    assert path.read_text().count("a line") == 3
    assert old.read_text() == "old"
    handler.handle(record)
    handler.close()
    assert path.read_text().count("a line") == 1
    assert old.read_text().count("a line") == 3
    assert (tmp_path / "postil.log.2").read_text() == "old"
    assert capsys.readouterr().err == ""
