"""The gate: it drafts where that is measured to pay, and cannot lose much by trying."""

from __future__ import annotations

from inference.kv_cache.prefix_chain import PrefixChain
from inference.scheduling.sequence import Sequence
from inference.speculation import PromptLookup
from inference.speculation_gate import SpeculationGate, SpeculationMode

PASSAGE = list(range(100, 200))
PLAIN_S = 0.1


class Quoting:
    """A sequence that quotes its prompt, but for a wrong word at every `wrong_every`th place.

    Each step takes as long as `cost` says of the number of its drafted tokens.
    """

    def __init__(
        self, slope: float, wrong_every: int = 10**9, mode: SpeculationMode = "auto"
    ) -> None:
        self.slope = slope
        self.wrong_every = wrong_every
        self.gate = SpeculationGate(mode, 64)
        self.tokens = [*PASSAGE, 1]
        self.sequence = Sequence(self.tokens, len(self.tokens), 10**6, 0, PrefixChain(b"", 16))
        self.lookup = PromptLookup(self.tokens)
        self.seconds = 0.0
        self.drafted = 0

    def next_token(self, index: int) -> int:
        if index % self.wrong_every == self.wrong_every - 1:
            return 5000 + index
        return PASSAGE[index % len(PASSAGE)]

    def run(self, count: int) -> float:
        """Generate and return the time it took, in plain steps."""
        start = self.sequence.num_output_tokens
        while (made := self.sequence.num_output_tokens) < start + count:
            drafts = self.gate.choose([(self.sequence, self.lookup)])
            draft = drafts.get(self.sequence, ())
            emitted = 1
            while emitted <= len(draft) and draft[emitted - 1] == self.next_token(
                made + emitted - 1
            ):
                emitted += 1
            seconds = PLAIN_S * (1.0 + self.slope * len(draft))
            self.tokens.extend(self.next_token(made + index) for index in range(emitted))
            self.gate.observe(1, len(draft), emitted, seconds)
            self.seconds += seconds
            self.drafted += len(draft)
        return self.seconds / PLAIN_S


def test_quotes_are_drafted_where_rows_cost_little() -> None:
    assert Quoting(slope=0.01).run(500) < 0.2 * 500


def test_quotes_are_drafted_even_where_rows_cost_a_lot() -> None:
    assert Quoting(slope=0.4).run(500) < 0.9 * 500


def test_nothing_is_drafted_for_long_where_a_row_costs_a_step() -> None:
    assert Quoting(slope=1.0).run(1000) < 1.05 * 1000


def test_matches_that_do_not_continue_cost_next_to_nothing() -> None:
    for slope in (0.0, 0.1, 0.4, 1.0, 3.0):
        for wrong_every in (3, 4, 5, 6, 9):
            assert Quoting(slope, wrong_every).run(400) < 1.05 * 400, (slope, wrong_every)


def test_rows_that_become_dear_are_noticed() -> None:
    quoting = Quoting(slope=0.01)
    quoting.run(500)
    quoting.slope, quoting.seconds = 3.0, 0.0
    assert quoting.run(2000) < 1.05 * 2000


def test_nothing_is_drafted_before_a_plain_step_of_as_many_sequences_was_measured() -> None:
    both = [Quoting(slope=0.0) for _ in range(2)]
    for quoting in both:
        quoting.run(50)
        assert quoting.drafted
    gate = both[0].gate
    lookups = [(quoting.sequence, quoting.lookup) for quoting in both]
    assert gate.choose(lookups) == {}
    gate.observe(2, 0, 2, PLAIN_S)
    assert len(gate.choose(lookups)) == 2


def test_always_and_never() -> None:
    always, never = Quoting(3.0, mode="always"), Quoting(0.0, mode="never")
    always.run(100)
    never.run(100)
    assert always.drafted > 0 == never.drafted


def test_no_more_is_drafted_than_the_answer_may_have() -> None:
    quoting = Quoting(slope=0.0, mode="always")
    quoting.tokens.extend(PASSAGE[:10])
    quoting.sequence.max_tokens = 13
    (draft,) = quoting.gate.choose([(quoting.sequence, quoting.lookup)]).values()
    assert len(draft) == 2
    quoting.sequence.max_tokens = 11
    assert quoting.gate.choose([(quoting.sequence, quoting.lookup)]) == {}


def test_no_more_is_drafted_than_a_step_takes() -> None:
    gate = SpeculationGate("always", 10)
    lookups = []
    for arrival in range(4):
        tokens = [*PASSAGE, 1]
        sequence = Sequence(tokens, len(tokens), 100, arrival, PrefixChain(b"", 16))
        lookups.append((sequence, PromptLookup(tokens)))
        tokens.extend(PASSAGE[:5])
    assert [len(draft) for draft in gate.choose(lookups).values()] == [4, 4, 2]
