"""The way of an answer from the engine's thread to the request's task on the loop.

The engine delivers on its own thread, one piece per request and step. All pieces that come before
the loop gets to them cross together, in one wake-up, whichever requests they belong to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from inference.outputs import OutputPiece
from inference.requests import GenerationRequest

if TYPE_CHECKING:
    from inference.engine import Engine

OnEnd = Callable[[OutputPiece], None]


class Mailbox:
    """Carries pieces from the engine's thread to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._pending: list[tuple[Answers, OutputPiece]] = []

    def post(self, answers: Answers, piece: OutputPiece) -> None:
        """Hand in a piece; called on the engine's thread."""
        with self._lock:
            self._pending.append((answers, piece))
            first = len(self._pending) == 1
        if first:
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        for answers, piece in pending:
            answers.accept(piece)


class Answers:
    """All answers to one HTTP request, each of which is a request of the engine's."""

    def __init__(self, engine: Engine, mailbox: Mailbox, on_end: OnEnd) -> None:
        self._engine = engine
        self._mailbox = mailbox
        self._on_end = on_end
        self._lock = threading.Lock()
        self._submitted: list[str] = []
        self._cancelled = False
        self._arrived: list[OutputPiece] = []
        self._something = asyncio.Event()
        self._unfinished = 0

    @property
    def finished(self) -> bool:
        """Whether every answer has had its last piece, and `pieces` has returned it."""
        return not self._unfinished and not self._arrived

    def submit(self, requests: Sequence[GenerationRequest]) -> None:
        """Hand the requests to the engine; called on a thread, since compiling grammars takes time.

        Pieces carry the place of their request among `requests` as their choice.

        Raises:
            RequestError, QueueFullError, EngineStoppedError: one was refused; none goes on.
        """
        self._unfinished = len(requests)
        try:
            for choice, request in enumerate(requests):
                self._engine.submit(request, partial(self._deliver, choice))
                with self._lock:
                    self._submitted.append(request.request_id)
                    cancelled = self._cancelled
                if cancelled:  # the client left while this thread was at work
                    self._engine.cancel(request.request_id)
                    return
        except BaseException:
            self.cancel()
            raise

    def _deliver(self, choice: int, piece: OutputPiece) -> None:
        # The engine counts the answers to one prompt, the API those to all prompts of a request.
        if piece.choice != choice:
            piece = replace(piece, choice=choice)
        self._mailbox.post(self, piece)

    def accept(self, piece: OutputPiece) -> None:
        """Take a piece; called on the loop."""
        self._arrived.append(piece)
        if piece.finish_reason is not None:
            self._unfinished -= 1
            self._on_end(piece)
        self._something.set()

    async def pieces(self, timeout_s: float | None = None) -> list[OutputPiece]:
        """Wait for pieces and return all that are there, those of one answer joined.

        Args:
            timeout_s: how long to wait before returning none; None: for ever.
        """
        if not self._arrived:  # a bare timer: `asyncio.timeout` costs more than the rest of this
            timer = None
            if timeout_s is not None:
                timer = asyncio.get_running_loop().call_later(timeout_s, self._something.set)
            try:
                await self._something.wait()
            finally:
                if timer is not None:
                    timer.cancel()
        self._something.clear()
        arrived, self._arrived = self._arrived, []
        return joined(arrived)

    def cancel(self) -> None:
        """Let the engine drop what is not finished; it may be called at any time, on any thread."""
        with self._lock:
            self._cancelled = True
            submitted = list(self._submitted)
        if self._unfinished:
            for request_id in submitted:
                self._engine.cancel(request_id)


def joined(pieces: Sequence[OutputPiece]) -> list[OutputPiece]:
    """Return the pieces with those of one answer put together, answers in order of first piece."""
    if len(pieces) <= 1:
        return list(pieces)
    by_choice: dict[int, list[OutputPiece]] = {}
    for piece in pieces:
        by_choice.setdefault(piece.choice, []).append(piece)
    return [_join(same) for same in by_choice.values()]


def _join(pieces: Sequence[OutputPiece]) -> OutputPiece:
    if len(pieces) == 1:
        return pieces[0]
    last = pieces[-1]
    return OutputPiece(
        request_id=last.request_id,
        choice=last.choice,
        text="".join(piece.text for piece in pieces),
        token_ids=tuple(token for piece in pieces for token in piece.token_ids),
        logprobs=tuple(entry for piece in pieces for entry in piece.logprobs),
        finish_reason=last.finish_reason,
        stop_reason=last.stop_reason,
        error=last.error,
        usage=last.usage,
    )
