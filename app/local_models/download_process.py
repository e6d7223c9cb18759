"""A download under way, as a process of its own: ending it keeps what has come."""

from __future__ import annotations

import json
import sys
from typing import Any

from PySide6.QtCore import QObject, QProcess, Signal

_LAST_WORDS = "The download ended without saying why. Start it again; what has come is kept."
_END_WITHIN_MS = 2000


class DownloadProcess(QObject):
    """Runs `postil models download` for one model.

    Signals:
        progressed: bytes that are there, and bytes that there will be.
        ended: why it failed, in words for the reader; "" where the model is here.
        stopped: the reader stopped it.

    Attributes:
        name: the model.
    """

    progressed = Signal(object, object)
    ended = Signal(str)
    stopped = Signal()

    def __init__(self, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self.name = name
        self._stopping = False
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(lambda *_: self._finish())
        self._process.errorOccurred.connect(self._fail_to_start)

    def start(self) -> None:
        """Start it."""
        self._process.start(
            sys.executable, ["-m", "app", "models", "download", self.name, "--json"]
        )

    def stop(self) -> None:
        """End it; the next one goes on from there."""
        self._stopping = True
        self._process.kill()

    def wait_until_gone(self) -> None:
        """End it and wait, as when the window closes."""
        self.stop()
        self._process.waitForFinished(_END_WITHIN_MS)

    def _read(self) -> None:
        while self._process.canReadLine():
            event = _parsed(bytes(self._process.readLine().data()))
            if event.get("event") == "progress":
                self.progressed.emit(int(event["done_bytes"]), int(event["total_bytes"]))

    def _finish(self) -> None:
        if self._stopping:
            self.stopped.emit()
            return
        whole = (
            self._process.exitStatus() is QProcess.ExitStatus.NormalExit
            and self._process.exitCode() == 0
        )
        said = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        reason = said.strip().rpartition("\n")[2].removeprefix("postil: ")
        self.ended.emit("" if whole else reason or _LAST_WORDS)

    def _fail_to_start(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self.ended.emit(f"The download did not start: {self._process.errorString()}.")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}  # a warning of some library
    return event if isinstance(event, dict) else {}
