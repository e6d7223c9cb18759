"""A whole answer, for callers that do not stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.outputs import FinishReason, OutputPiece, TokenLogprobs, Usage


@dataclass(frozen=True, slots=True)
class Completion:
    """All pieces of one answer put together.

    Attributes:
        text: the answer.
        token_ids: the tokens generated, the end of text included.
        logprobs: one for each token where they were asked for, else empty.
        finish_reason: how the answer ended.
        stop_reason: the stop string or stop token that ended it; None: the model's own end.
        usage: what it took.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...]
    finish_reason: FinishReason
    stop_reason: str | int | None
    usage: Usage

    @classmethod
    def from_pieces(cls, pieces: Sequence[OutputPiece]) -> Completion:
        """Join the pieces of one answer.

        Args:
            pieces: all of them, the last one included.
        """
        last = pieces[-1]
        assert last.finish_reason is not None
        assert last.usage is not None
        return cls(
            text="".join(piece.text for piece in pieces),
            token_ids=tuple(token for piece in pieces for token in piece.token_ids),
            logprobs=tuple(entry for piece in pieces for entry in piece.logprobs),
            finish_reason=last.finish_reason,
            stop_reason=last.stop_reason,
            usage=last.usage,
        )
