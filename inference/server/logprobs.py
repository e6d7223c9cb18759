"""Log-probabilities in the two forms of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inference.outputs import RankedToken, TokenLogprobs

if TYPE_CHECKING:
    from inference.text.tokenizer import Tokenizer

IMPOSSIBLE = -9999.0
"""What OpenAI writes for a token that cannot come: JSON has no infinity."""


def chat_logprobs(entries: Sequence[TokenLogprobs], tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the form of chat completions."""
    content = [
        {
            **_token(entry.chosen, tokenizer),
            "top_logprobs": [_token(ranked, tokenizer) for ranked in entry.top],
        }
        for entry in entries
    ]
    return {"content": content, "refusal": None}


def completion_logprobs(
    entries: Sequence[TokenLogprobs], tokenizer: Tokenizer, offset: int
) -> dict[str, Any]:
    """Return the form of completions.

    Args:
        entries: one for each token.
        tokenizer: tells what tokens say.
        offset: characters of the tokens before these.
    """
    tokens, values, tops, offsets = [], [], [], []
    for entry in entries:
        text = tokenizer.token_text(entry.chosen.token_id).text
        top: dict[str, float] = {}
        for ranked in (*entry.top, entry.chosen):  # the first of two that read alike is likelier
            top.setdefault(tokenizer.token_text(ranked.token_id).text, _finite(ranked.logprob))
        tokens.append(text)
        values.append(_finite(entry.chosen.logprob))
        tops.append(top)
        offsets.append(offset)
        offset += len(text)
    return {
        "tokens": tokens,
        "token_logprobs": values,
        "top_logprobs": tops,
        "text_offset": offsets,
    }


def _token(ranked: RankedToken, tokenizer: Tokenizer) -> dict[str, Any]:
    said = tokenizer.token_text(ranked.token_id)
    return {"token": said.text, "logprob": _finite(ranked.logprob), "bytes": list(said.data)}


def _finite(logprob: float) -> float:
    return max(logprob, IMPOSSIBLE)
