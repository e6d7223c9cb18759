"""When drafting pays.

To verify a draft is to compute more rows in a step. What that costs differs widely: next to nothing
where the weights' way from memory takes the time, two or three times a plain step where a kernel
works row by row (int8 and int4 on a CPU). So it is measured while the engine runs, and a draft is
verified only where more tokens per second are to be expected. A ledger of the time won and lost
keeps wrong expectations from costing more than a fiftieth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from inference.scheduling.sequence import Sequence
from inference.speculation import LONGEST_DRAFT, SHORTEST_DRAFT, PromptLookup

SpeculationMode = Literal["auto", "always", "never"]
Drafts = dict[Sequence, tuple[int, ...]]

_LEAST_SPEEDUP = 1.1
_LEAST_HIT_RATE = 0.4
_ALLOWANCE = 0.02  # share of the time that may be lost in finding out
_MOST_CREDIT_STEPS = 4.0  # earlier gains pay for no more than this
_NEW_SHARE = 0.2  # of a new measurement in an average
# A cost is guessed before it is measured, and a measurement slowly gives way to the guess again,
# so that one bad moment does not end speculation for good.
_GUESSED_COST_PER_ROW = 0.05
_KEPT_PER_STEP = 0.998


class SpeculationGate:
    """Chooses which guesses are drafted.

    Args:
        mode: "auto" drafts where it pays, "always" and "never" are for measurements and tests.
        max_draft_tokens: most drafted tokens in one step.
    """

    def __init__(self, mode: SpeculationMode, max_draft_tokens: int) -> None:
        self._mode = mode
        self._max_draft_tokens = max_draft_tokens
        self._steps = 0
        self._plain_s: dict[int, float] = {}
        self._cost: dict[tuple[int, int], tuple[float, int]] = {}
        self._balance_s = 0.0

    def choose(self, lookups: Iterable[tuple[Sequence, PromptLookup | None]]) -> Drafts:
        """Return the drafts for the next step.

        Args:
            lookups: the sequences that generate, and what guesses for them.
        """
        if self._mode == "never":
            return {}
        generating = 0
        guesses: list[tuple[Sequence, PromptLookup, tuple[int, ...]]] = []
        for sequence, lookup in lookups:
            generating += 1
            room = sequence.max_tokens - sequence.num_output_tokens - 1
            if lookup is None or not (guess := lookup.guess()[: max(0, room)]):
                continue
            if self._mode == "always" or lookup.hit_rate >= _LEAST_HIT_RATE:
                guesses.append((sequence, lookup, guess))
        if not guesses:
            return {}
        if self._mode == "always":
            return self._within_limit({sequence: guess for sequence, _, guess in guesses})
        plain_s = self._plain_s.get(generating.bit_length())
        if plain_s is None or self._balance_s < -plain_s:
            return {}
        return self._best(generating, guesses)

    def observe(self, generating: int, drafted: int, emitted: int, seconds: float) -> None:
        """Note what a step took that held nothing but sequences that generate.

        Args:
            generating: how many they were.
            drafted: drafted tokens in all.
            emitted: tokens that they gained.
            seconds: how long the step took.
        """
        self._steps += 1
        size = generating.bit_length()
        gained_s = _ALLOWANCE * seconds
        plain_s = self._plain_s.get(size)
        if not drafted:
            plain_s = _averaged(plain_s, seconds)
            self._plain_s[size] = plain_s
        elif plain_s is not None:
            gained_s += plain_s * emitted / generating - seconds
            key = (size, drafted.bit_length())
            known = self._cost.get(key)
            cost = _averaged(None if known is None else known[0], seconds / plain_s)
            self._cost[key] = (cost, self._steps)
        most = _MOST_CREDIT_STEPS * (plain_s or seconds)
        self._balance_s = min(self._balance_s + gained_s, most)

    def _best(
        self, generating: int, guesses: list[tuple[Sequence, PromptLookup, tuple[int, ...]]]
    ) -> Drafts:
        """Return the drafts, cut to the length that promises the most tokens per second."""
        best: Drafts = {}
        best_speedup = _LEAST_SPEEDUP
        longest = SHORTEST_DRAFT
        while longest <= LONGEST_DRAFT:
            drafts = self._within_limit({one: guess[:longest] for one, _, guess in guesses})
            drafted = sum(map(len, drafts.values()))
            won = sum(
                lookup.expected_tokens(len(drafts[one]))
                for one, lookup, _ in guesses
                if one in drafts
            )
            speedup = (1.0 + won / generating) / self._expected_cost(generating, drafted)
            if speedup > best_speedup:
                best, best_speedup = drafts, speedup
            longest *= 2
        return best

    def _within_limit(self, drafts: Drafts) -> Drafts:
        left = self._max_draft_tokens
        kept: Drafts = {}
        for sequence, draft in drafts.items():
            if draft[:left]:
                kept[sequence] = draft[:left]
                left -= len(kept[sequence])
        return kept

    def _expected_cost(self, generating: int, drafted: int) -> float:
        """How many times a plain step's time a step with so many drafted tokens takes."""
        guessed = 1.0 + _GUESSED_COST_PER_ROW * drafted / math.sqrt(generating)
        known = self._cost.get((generating.bit_length(), drafted.bit_length()))
        if known is None:
            return guessed
        cost, measured_at = known
        still_counts = math.pow(_KEPT_PER_STEP, self._steps - measured_at)
        return guessed + (cost - guessed) * still_counts


def _averaged(before: float | None, new: float) -> float:
    return new if before is None else before + _NEW_SHARE * (new - before)
