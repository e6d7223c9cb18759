"""The log: what is in it, and what never is."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from core.home import Home
from core.logs import RedactingFormatter, hide, redact

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
