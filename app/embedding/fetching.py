"""Fetches a model in a process of its own, with its progress."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment

from app.background import Background
from core.errors import EmbeddingError

PROGRAM = ("-m", "rag.embedding.fetch")
_LOOK_S = 0.4
_PATIENCE_S = 3.0
_BYTES_PER_MB = 1_000_000


class ModelFetch(QObject):
    """One fetch. The process writes into the model cache, whose growth tells how far it is."""

    def __init__(self, background: Background, cache_dir: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._background = background
        self._cache_dir = cache_dir
        self._process = QProcess(self)

    async def run(self, name: str, size_mb: int, on_progress: Callable[[float], None]) -> None:
        """Fetch; cancelling ends the process, which clears away what it has so far.

        Args:
            name: of a model of the catalogue.
            size_mb: about how much will come.
            on_progress: told the share that is there, 0 to 1.

        Raises:
            EmbeddingError: why it could not be fetched, in words for the reader.
        """
        before = await self._background.read(folder_size, self._cache_dir)
        ended = asyncio.get_running_loop().create_future()
        self._process.finished.connect(lambda *_: _set(ended))
        self._process.errorOccurred.connect(lambda *_: _set(ended))
        self._process.setProcessEnvironment(_environment())
        self._process.start(sys.executable, [*PROGRAM, name, str(self._cache_dir)])
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOOK_S)
                size = await self._background.read(folder_size, self._cache_dir)
                on_progress(min(1.0, max(0, size - before) / (size_mb * _BYTES_PER_MB)))
        finally:
            await asyncio.shield(self._end(ended))
        self._check()

    async def _end(self, ended: asyncio.Future[None]) -> None:
        """Let the process end, by force where it does not heed."""
        if self._process.state() is QProcess.ProcessState.NotRunning:
            return
        self._process.terminate()
        await asyncio.wait({ended}, timeout=_PATIENCE_S)
        if self._process.state() is not QProcess.ProcessState.NotRunning:
            self._process.kill()
            await asyncio.wait({ended}, timeout=_PATIENCE_S)

    def _check(self) -> None:
        if self._process.error() is QProcess.ProcessError.FailedToStart:
            raise EmbeddingError(
                f"The program that fetches models did not start: {self._process.errorString()}."
            )
        if self._process.exitStatus() is QProcess.ExitStatus.CrashExit:
            raise EmbeddingError("The program that fetches models ended unexpectedly. Try again.")
        if self._process.exitCode() != 0:
            said = (
                bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
            )
            raise EmbeddingError(said.rpartition("\n")[2] or "The model could not be fetched.")


def folder_size(folder: Path) -> int:
    """Return how many bytes the files in a folder have; links count as nothing."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory, name)
            try:
                total += 0 if path.is_symlink() else path.stat().st_size
            except FileNotFoundError:
                continue  # it was moved to its place just now
    return total


def _environment() -> QProcessEnvironment:
    """Return this process's environment, with the interpreter's own search path in it."""
    environment = QProcessEnvironment.systemEnvironment()
    search_path = (entry or str(Path.cwd()) for entry in sys.path)
    environment.insert("PYTHONPATH", os.pathsep.join(search_path))
    return environment


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
