"""Log-probabilities of the tokens chosen and of the likeliest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.outputs import RankedToken, TokenLogprobs
from inference.sampling.state import SamplingRow


def raw_logprobs(
    logits: Tensor, tokens: Tensor, rows: Sequence[SamplingRow]
) -> dict[int, TokenLogprobs]:
    """The model's own log-probabilities, for the rows that ask for them.

    They are those of the raw logits' softmax: before temperature, penalties, biases, filters and
    grammars, as in OpenAI's API. So the chosen token need not be among the likeliest.

    Args:
        logits: (rows, vocab), float32.
        tokens: (rows), the tokens chosen; negative where there is none.
        rows: whose they are.

    Returns:
        By row, where asked for.
    """
    asking = {
        at: count
        for at, row in enumerate(rows)
        if (count := row.state.params.top_logprobs) is not None
    }
    if not asking:
        return {}
    picked = torch.tensor(list(asking), device=logits.device)
    logprobs = logits[picked].log_softmax(dim=-1)
    chosen = tokens[picked].clamp(min=0).unsqueeze(-1)
    most = min(max(asking.values()), logits.shape[-1])
    values, ids = logprobs.topk(most, dim=-1)
    ids_on_host = torch.cat((chosen, ids), dim=-1).tolist()
    values_on_host = torch.cat((logprobs.gather(-1, chosen), values), dim=-1).tolist()
    found = {}
    for (at, count), its_ids, its_values in zip(
        asking.items(), ids_on_host, values_on_host, strict=True
    ):
        ranked = [RankedToken(*pair) for pair in zip(its_ids, its_values, strict=True)]
        found[at] = TokenLogprobs(ranked[0], tuple(ranked[1 : count + 1]))
    return found
