"""Chooses a token for every row of a batch's logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from inference.errors import EngineError, GrammarError, NumericalError
from inference.outputs import TokenLogprobs
from inference.runner.greedy import greedy_tokens
from inference.sampling.adjustments import adjusted
from inference.sampling.drawing import draw
from inference.sampling.logprobs import raw_logprobs
from inference.sampling.state import SamplingRow

_UNSOUND = -1


class Sampled(NamedTuple):
    """What was chosen for one row.

    Attributes:
        token_id: the token; -1 beside an error.
        logprobs: where the request asks for them.
        error: why there is no token: NumericalError for NaN or infinite logits, GrammarError for a
            grammar beyond its limits. Other rows are not touched.
    """

    token_id: int
    logprobs: TokenLogprobs | None = None
    error: EngineError | None = None


class Sampler:
    """Samples all rows of a batch in one pass, whatever their parameters.

    A row's token depends on its own logits, parameters, seed and index alone: not on the batch, nor
    on whether the row was reached by speculation. To verify drafts, sample their rows and accept
    while the token drawn equals the draft; the text is then the same as without drafts.

    Greedy rows (temperature 0) take the likeliest token, the lowest id among equals. A batch of
    only those costs one `max` and one transfer to the host.
    """

    def sample(self, logits: Tensor, rows: Sequence[SamplingRow]) -> list[Sampled]:
        """Choose a token for each row.

        Args:
            logits: (rows, vocab), of any floating type, on any device; left as they are.
            rows: whose logits these are.
        """
        if not rows:
            return []
        if all(row.state.is_plain_greedy for row in rows):
            return [chosen(token_id) for token_id in greedy_tokens(logits).tolist()]
        return self._sample_mixed(logits.float(), rows)

    def _sample_mixed(self, logits: Tensor, rows: Sequence[SamplingRow]) -> list[Sampled]:
        scores, failures = adjusted(logits, rows)
        tokens = greedy_tokens(scores)
        drawing = [at for at, row in enumerate(rows) if row.state.params.temperature > 0.0]
        if drawing:
            picked = torch.tensor(drawing, device=logits.device)
            whole = len(drawing) == len(rows)
            drawn = draw(scores if whole else scores[picked], [rows[at] for at in drawing]).to(
                logits.device
            )
            tokens[picked] = torch.where(tokens[picked] == _UNSOUND, _UNSOUND, drawn)
        if scores is not logits:
            tokens = torch.where(greedy_tokens(logits) == _UNSOUND, _UNSOUND, tokens)
        logprobs = raw_logprobs(logits, tokens, rows)
        return [
            chosen(token_id, logprobs.get(at), failures.get(at))
            for at, token_id in enumerate(tokens.tolist())
        ]


def chosen(
    token_id: int, logprobs: TokenLogprobs | None = None, failure: GrammarError | None = None
) -> Sampled:
    """Return what was chosen, as an error where there was nothing sound to choose."""
    if failure is not None:
        return Sampled(_UNSOUND, error=failure)
    if token_id == _UNSOUND:
        return Sampled(
            _UNSOUND, error=NumericalError("The model's output for this request is not a number.")
        )
    return Sampled(token_id, logprobs)
