"""Word search: BM25 by SQLite's FTS5 over the search text of chunks and parents.

FTS5 ranks about a million matches a second, so a word that stands in a large share of the library
would cost more than all others together. Where a large scope is searched and `limit` rows hold a
rarer word, frequent words therefore add to scores as ever, but a row that holds nothing else is not
ranked. On 450 questions over 100,000 chunks this left the first ten unchanged, and halved the
slowest times (tests/benchmarks/lexical.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.books import IdRange
from core.persistence.database import Database, fetch
from core.ports import IndexLevel, LexicalHit

TITLE_WEIGHT = 1.0
"""Weight of a word in a parent's titles against one in its text."""

_LARGE_SCOPE = 20_000
"""Rows from which on frequent words are looked at; below it, all are ranked in a few ms."""

_SEPARATE_RANGES = 4
"""Up to so many ranges are searched one by one; more at once, by a filter inside the query."""


_FREQUENT_SHARE: dict[IndexLevel, float] = {"chunk": 0.05, "parent": 0.10}
"""Share of the rows from which on a word counts as frequent; parents hold more words."""

# FTS5's `rank` is BM25, negated so that the best comes first; a weight for each column.
_RANKING: dict[IndexLevel, str] = {
    "chunk": "bm25(1.0)",
    "parent": f"bm25({TITLE_WEIGHT}, 1.0)",
}
_K1 = 1.2  # FTS5's, as is b = 0.75


class SqlLexicalIndex:
    """Implements core.ports.LexicalIndex; the BookStore keeps the index in step with its chunks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts = _WordCounts()

    def search(
        self,
        terms: Sequence[str],
        ranges: Sequence[IdRange] | None,
        limit: int,
        level: IndexLevel,
    ) -> list[LexicalHit]:
        """Return the best `limit` ids within `ranges` (None: all) that hold any of `terms`.

        Terms are in search form (core.search_text): one that holds a space is a phrase, one that
        ends in `*` stands for every word that begins so.
        """
        if not terms or (ranges is not None and not ranges):
            return []
        with self._database.read() as connection:
            search = _Search(connection, self._counts, level, ranges, limit)
            return search.run(list(dict.fromkeys(terms)))

    def ceiling(self, terms: Sequence[str], level: IndexLevel) -> float:
        """Return what BM25 approaches in a text that holds every term many times.

        A term that no text holds counts as the rarest. The words of a phrase count one by one,
        and a term that ends in `*` by the word before it.
        """
        words = list(dict.fromkeys(word.rstrip("*") for term in terms for word in term.split()))
        with self._database.read() as connection:
            row_count = _row_count(connection, level)
            holding = self._counts.holding(connection, level, row_count, words)
        return (_K1 + 1) * sum(_idf(row_count, holding.get(word, 0)) for word in words)


@dataclass(frozen=True, slots=True)
class _Search:
    connection: Connection
    counts: _WordCounts
    level: IndexLevel
    ranges: Sequence[IdRange] | None
    limit: int

    def run(self, terms: list[str]) -> list[LexicalHit]:
        frequent = self._frequent(terms)
        rarer = [term for term in terms if term not in frequent]
        if frequent and rarer:
            by_rarer = self._hits(_any_of(rarer))
            if len(by_rarer) >= self.limit:
                with_both = self._hits(f"({_any_of(rarer)}) AND ({_any_of(frequent)})")
                return self._best([*by_rarer, *with_both])
        return self._hits(_any_of(terms))

    def _frequent(self, terms: list[str]) -> list[str]:
        """Return the single words that stand in a large share of the rows, in a large scope."""
        row_count = _row_count(self.connection, self.level)
        in_scope = (
            row_count
            if self.ranges is None
            else sum(ids.last - ids.first + 1 for ids in self.ranges)
        )
        if in_scope < _LARGE_SCOPE:
            return []
        most = row_count * _FREQUENT_SHARE[self.level]
        holding = self.counts.holding(self.connection, self.level, row_count, terms)
        return [term for term, count in holding.items() if count > most]

    def _hits(self, query: str) -> list[LexicalHit]:
        if self.ranges is None:
            return self._query(query, [])
        if len(self.ranges) > _SEPARATE_RANGES:
            return self._query(query, self.ranges)
        return self._best([hit for ids in self.ranges for hit in self._query(query, [ids])])

    def _query(self, query: str, ranges: Sequence[IdRange]) -> list[LexicalHit]:
        table = f"{self.level}_words"
        conditions = [f"{table} MATCH ?", "rank MATCH ?"]
        values: list[object] = [query, _RANKING[self.level]]
        if ranges:
            # FTS5 ranks only what lies between these two; BM25's statistics stay the library's.
            conditions.append("rowid BETWEEN ? AND ?")
            values += [ranges[0].first, ranges[-1].last]
        if len(ranges) > 1:
            conditions.append(
                f"EXISTS (SELECT 1 FROM json_each(?) WHERE {table}.rowid "
                "BETWEEN json_extract(value, '$[0]') AND json_extract(value, '$[1]'))"
            )
            values.append(json.dumps(ranges))
        statement = (
            f"SELECT rowid, -rank FROM {table} WHERE {' AND '.join(conditions)} "
            "ORDER BY rank LIMIT ?"
        )
        return [LexicalHit(*row) for row in fetch(self.connection, statement, *values, self.limit)]

    def _best(self, hits: list[LexicalHit]) -> list[LexicalHit]:
        """Return the best hits, each id once with the better of its scores."""
        best: dict[int, LexicalHit] = {}
        for hit in sorted(hits, key=lambda hit: (-hit.score, hit.id)):
            best.setdefault(hit.id, hit)
        return list(best.values())[: self.limit]


def _row_count(connection: Connection, level: IndexLevel) -> int:
    statement = f"SELECT coalesce(sum({level}_count), 0) FROM books"
    count: int = fetch(connection, statement)[0][0]
    return count


class _WordCounts:
    """In how many rows words stand: counting a frequent one takes milliseconds, so it is kept.

    For as long as the library holds as many rows; a book in place of one of the same size would
    leave counts a little off, and so the weight of a word, never what is found.
    """

    _MOST_KEPT = 20_000

    def __init__(self) -> None:
        self._kept: dict[tuple[IndexLevel, int, str], int] = {}

    def holding(
        self, connection: Connection, level: IndexLevel, row_count: int, words: Sequence[str]
    ) -> dict[str, int]:
        """Return in how many rows each word stands."""
        kept = {word: self._kept.get((level, row_count, word)) for word in words}
        unknown = [word for word, count in kept.items() if count is None]
        counted = _count_holding(connection, level, unknown) if unknown else {}
        if len(self._kept) + len(counted) > self._MOST_KEPT:
            self._kept.clear()
        self._kept |= {(level, row_count, word): count for word, count in counted.items()}
        return counted | {word: count for word, count in kept.items() if count is not None}


def _count_holding(
    connection: Connection, level: IndexLevel, words: Sequence[str]
) -> dict[str, int]:
    # CROSS JOIN keeps SQLite from walking through the whole vocabulary.
    statement = f"SELECT term, doc FROM json_each(?) CROSS JOIN {level}_vocabulary ON term = value"
    return dict.fromkeys(words, 0) | dict(fetch(connection, statement, json.dumps(words)))


def _idf(row_count: int, holding_count: int) -> float:
    """Return the weight that FTS5's BM25 gives a term; never 0 there either."""
    return max(math.log((row_count - holding_count + 0.5) / (holding_count + 0.5)), 1e-6)


def _any_of(terms: list[str]) -> str:
    return " OR ".join(map(_quoted, terms))


def _quoted(term: str) -> str:
    """Return a term as an FTS5 string, in which no character has a meaning of its own."""
    words = term.rstrip("*").replace('"', '""')
    return f'"{words}" *' if term.endswith("*") else f'"{words}"'
