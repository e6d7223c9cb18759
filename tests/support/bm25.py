"""BM25 over a few rows in memory, written from the formula: what the real index is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.books import IdRange
from core.ports import IndexLevel, LexicalHit

K1 = 1.2
B = 0.75


@dataclass(frozen=True)
class Row:
    """The columns of a row, each a list of words, and their weights."""

    columns: tuple[list[str], ...]
    weights: tuple[float, ...]

    @property
    def length(self) -> int:
        return sum(map(len, self.columns))

    def frequency(self, term: str) -> float:
        return sum(
            weight * count_term(words, term)
            for words, weight in zip(self.columns, self.weights, strict=True)
        )


def count_term(words: Sequence[str], term: str) -> int:
    """Count where a term stands: a word, a phrase, or the beginning of a word (`*`)."""
    wanted = term.rstrip("*").split()
    starts = range(len(words) - len(wanted) + 1)
    return sum(_stands_at(words, start, wanted, prefix=term.endswith("*")) for start in starts)


def _stands_at(words: Sequence[str], start: int, wanted: list[str], *, prefix: bool) -> bool:
    found = list(words[start : start + len(wanted)])
    if not prefix:
        return found == wanted
    return found[:-1] == wanted[:-1] and found[-1].startswith(wanted[-1])


class InMemoryLexicalIndex:
    """Implements core.ports.LexicalIndex, slowly."""

    def __init__(self, rows: Mapping[IndexLevel, Mapping[int, Row]]) -> None:
        self._rows = rows

    def search(
        self,
        terms: Sequence[str],
        ranges: Sequence[IdRange] | None,
        limit: int,
        level: IndexLevel,
    ) -> list[LexicalHit]:
        rows = self._rows[level]
        hits = [
            LexicalHit(id_, self._score(row, set(terms), level))
            for id_, row in rows.items()
            if ranges is None or any(first <= id_ <= last for first, last in ranges)
            if any(row.frequency(term) for term in terms)
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def ceiling(self, terms: Sequence[str], level: IndexLevel) -> float:
        words = {word.rstrip("*") for term in terms for word in term.split()}
        return sum(self._idf(word, level) * (K1 + 1) for word in words)

    def _score(self, row: Row, terms: set[str], level: IndexLevel) -> float:
        rows = self._rows[level].values()
        mean_length = sum(other.length for other in rows) / len(rows)
        damping = K1 * (1 - B + B * row.length / mean_length)
        return sum(
            self._idf(term, level) * frequency * (K1 + 1) / (frequency + damping)
            for term in terms
            if (frequency := row.frequency(term))
        )

    def _idf(self, term: str, level: IndexLevel) -> float:
        rows = self._rows[level].values()
        holding = sum(bool(row.frequency(term)) for row in rows)
        return max(math.log((len(rows) - holding + 0.5) / (holding + 0.5)), 1e-6)
