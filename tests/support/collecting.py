"""Receivers of an engine's pieces."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

from inference.completion import Completion
from inference.engine import Engine
from inference.outputs import OutputPiece
from inference.requests import GenerationRequest, SamplingParams

WAIT_S = 60.0


class Collector:
    """Keeps the pieces of any number of requests; `deliver` is for `Engine.submit`.

    Attributes:
        pieces: by request id, in the order of arrival.
    """

    def __init__(self) -> None:
        self.pieces: dict[str, list[OutputPiece]] = defaultdict(list)
        self._changed = threading.Condition()

    def deliver(self, piece: OutputPiece) -> None:
        """Take a piece."""
        with self._changed:
            self.pieces[piece.request_id].append(piece)
            self._changed.notify_all()

    def wait_for_tokens(self, request_id: str, count: int = 1) -> None:
        """Wait until a request has so many tokens, or is over."""
        self._wait(
            lambda: (
                self._is_over(request_id)
                or sum(len(piece.token_ids) for piece in self.pieces[request_id]) >= count
            )
        )

    def last(self, request_id: str) -> OutputPiece:
        """Wait for a request's last piece, and make sure that it is the only one."""
        self._wait(lambda: self._is_over(request_id))
        pieces = self.pieces[request_id]
        assert [piece.finish_reason is not None for piece in pieces].count(True) == 1
        return pieces[-1]

    def completion(self, request_id: str) -> Completion:
        """Wait for a request and return its whole answer."""
        last = self.last(request_id)
        assert last.error is None, last.error
        return Completion.from_pieces(self.pieces[request_id])

    def _is_over(self, request_id: str) -> bool:
        pieces = self.pieces[request_id]
        return bool(pieces) and pieces[-1].finish_reason is not None

    def _wait(self, condition: object) -> None:
        assert callable(condition)
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S), "the engine does not answer"


def submit(
    engine: Engine,
    collector: Collector,
    request_id: str,
    prompt: Sequence[int],
    params: SamplingParams,
) -> None:
    """Submit a prompt under an id."""
    engine.submit(GenerationRequest(request_id, tuple(prompt), params), collector.deliver)
