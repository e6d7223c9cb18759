"""Logging to a rotating file, with nothing in it that looks like a key."""

from __future__ import annotations

import logging
import re
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from core.home import Home

log = logging.getLogger(__name__)

_FILE_NAME = "postil.log"
_MAX_BYTES = 2_000_000
_OLD_FILES = 3
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s"

_NOISY_LIBRARIES = (
    "alembic",
    "asyncio",
    "fastembed",
    "filelock",
    "httpcore",
    "httpx",
    "huggingface_hub",
    "keyring",
    "markdown_it",
    "qasync",
    "sqlalchemy",
    "urllib3",
)

_MIN_HIDDEN_LENGTH = 6
_REDACTED = "[hidden]"
_KEY_LIKE = re.compile(
    r"""
    (?P<before> (?:bearer|basic)\s+ | (?:api[-_ ]?key|token|password|secret)["']?\s*[=:]\s*["']? )
    [^\s"',;)\]}]+
    | \b(?:sk|gsk|hf|xai|pk|rk)[-_][A-Za-z0-9_-]{8,}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_hidden: set[str] = set()


def hide(secret: str) -> None:
    """Keep `secret` out of every log line from now on, whatever it looks like."""
    if len(secret) >= _MIN_HIDDEN_LENGTH:
        _hidden.add(secret)


def redact(line: str) -> str:
    """Return `line` without hidden secrets and without what looks like a key."""
    for secret in tuple(_hidden):
        line = line.replace(secret, _REDACTED)
    return _KEY_LIKE.sub(lambda found: f"{found['before'] or ''}{_REDACTED}", line)


class SharedLogFile(RotatingFileHandler):
    """A rotating log file that several processes write.

    Windows lets nobody rename a file that another process has open: then it grows, until a process
    is alone with it.
    """

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Begin a new file, where the system lets us; else none of the old ones is touched."""
        if self.stream is not None:
            self.stream.close()
        file = Path(self.baseFilename)
        names = [file.with_name(f"{file.name}.{number}") for number in range(self.backupCount + 1)]
        with suppress(OSError):  # the log is the one place that cannot log it
            file.replace(names[0])
            for younger, older in reversed(list(pairwise(names))):
                with suppress(FileNotFoundError):
                    younger.replace(older)
        self.stream = self._open()


class RedactingFormatter(logging.Formatter):
    """Redacts the finished line: message, arguments and traceback alike."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line to write."""
        return redact(super().format(record))


def start_logging(home: Home, level: int = logging.INFO) -> None:
    """Write the log to a rotating file in `home.logs_dir`, errors that nobody caught included.

    Called at the start of a process; the file of an earlier call is closed. Where the file cannot
    be written, the log is left out: the library itself will say what is wrong with the folder.
    """
    handler = _file_handler(home)
    root = logging.getLogger()
    for earlier in [other for other in root.handlers if isinstance(other, SharedLogFile)]:
        root.removeHandler(earlier)
        earlier.close()
    root.setLevel(level)
    root.addHandler(handler)
    for name in _NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_exception
    threading.excepthook = _log_thread_exception


def _file_handler(home: Home) -> logging.Handler:
    try:
        home.logs_dir.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = SharedLogFile(
            home.logs_dir / _FILE_NAME,
            maxBytes=_MAX_BYTES,
            backupCount=_OLD_FILES,
            encoding="utf-8",
            errors="backslashreplace",  # a file's name may hold bytes that are no text
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(RedactingFormatter(_FORMAT))
    return handler


def _log_exception(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("an error that nobody caught", exc_info=(kind, error, traceback))
    sys.__excepthook__(kind, error, traceback)


def _log_thread_exception(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is None:
        return
    name = failure.thread.name if failure.thread else "a thread"
    log.critical(
        "an error that nobody caught in %s",
        name,
        exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback),
    )
