"""Fits excerpts into what a model takes; what is left out is told, never cut silently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import ContextOverflowError
from rag.answers.events import Turn
from rag.answers.expand import Excerpt

MAX_ANSWER_TOKENS = 1024
"""Room kept for the answer, or a quarter of what a small model takes."""
EXCERPT_FRAME_TOKENS = 40
"""For the lines around an excerpt, besides its chapter."""
HISTORY_SHARE = 8
"""Earlier turns may take one part in this many of what the model takes."""

# Tokens per character, meant to be too many rather than too few: on the corpus no vocabulary of
# 32,000 or more needs as many. Plain letters and spaces; other alphabets; everything else
# (digits, punctuation, Chinese, Japanese, Korean).
_LATIN = re.compile(r"[A-Za-z ]")
_ALPHABETIC = re.compile(r"[\u00c0-\u02af\u0370-\u052f]")
_LATIN_TOKENS = 0.3
_ALPHABETIC_TOKENS = 0.6
_OTHER_TOKENS = 1.3


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a text takes at most, for a model whose tokenizer is unknown."""
    latin = len(_LATIN.findall(text))
    alphabetic = len(_ALPHABETIC.findall(text))
    other = len(text) - latin - alphabetic
    return int(_LATIN_TOKENS * latin + _ALPHABETIC_TOKENS * alphabetic + _OTHER_TOKENS * other) + 1


@dataclass(frozen=True, slots=True)
class Budget:
    """What a prompt may hold.

    Attributes:
        context_tokens: what the model takes, prompt and answer together.
        answer_tokens: room kept for the answer.
        excerpts: what goes in, in book order.
        left_out: what does not, in book order.
        excerpt_tokens: estimate for what goes in.
    """

    context_tokens: int
    answer_tokens: int
    excerpts: tuple[Excerpt, ...]
    left_out: tuple[Excerpt, ...]
    excerpt_tokens: int


def fit_history(history: Sequence[Turn], context_tokens: int) -> tuple[Turn, ...]:
    """Return the latest turns that fit into history's share of a model's context."""
    room = context_tokens // HISTORY_SHARE
    kept: list[Turn] = []
    for turn in reversed(history):
        room -= estimate_tokens(turn.question) + estimate_tokens(turn.answer)
        if room < 0:
            break
        kept.insert(0, turn)
    return tuple(kept)


def fit(excerpts: Sequence[Excerpt], context_tokens: int, fixed_text: str) -> Budget:
    """Choose excerpts, the best first, that fit a model's context beside `fixed_text`.

    Raises:
        ContextOverflowError: not even the best excerpt fits.
    """
    answer_tokens = min(MAX_ANSWER_TOKENS, context_tokens // 4)
    room = context_tokens - answer_tokens - estimate_tokens(fixed_text)
    chosen: set[int] = set()
    used = 0
    for excerpt in sorted(excerpts, key=lambda excerpt: excerpt.rank):
        cost = (
            estimate_tokens(excerpt.text) + estimate_tokens(excerpt.chapter) + EXCERPT_FRAME_TOKENS
        )
        if used + cost <= room:
            used += cost
            chosen.add(excerpt.rank)
    if excerpts and not chosen:
        raise ContextOverflowError(
            f"The question leaves no room for a passage in the {context_tokens} tokens that the "
            "model takes. Ask more briefly, or choose a model with a larger context."
        )
    return Budget(
        context_tokens,
        answer_tokens,
        tuple(excerpt for excerpt in excerpts if excerpt.rank in chosen),
        tuple(excerpt for excerpt in excerpts if excerpt.rank not in chosen),
        used,
    )
