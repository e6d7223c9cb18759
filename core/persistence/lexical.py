"""Word search: BM25 by SQLite's FTS5 over the search text of chunks and parents."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from sqlalchemy import text

from core.books import IdRange
from core.persistence.database import Database
from core.ports import IndexLevel, LexicalHit

TITLE_WEIGHT = 1.0
"""Weight of a word in a parent's titles against one in its text."""

# FTS5's `rank` is BM25 with k1 = 1.2 and b = 0.75, negated so that the best comes first.
_RANKING: dict[IndexLevel, tuple[str, str]] = {
    "chunk": ("chunk_words", "bm25(1.0)"),
    "parent": ("parent_words", f"bm25({TITLE_WEIGHT}, 1.0)"),
}
_K1 = 1.2


class SqlLexicalIndex:
    """Implements core.ports.LexicalIndex; the BookStore keeps the index in step with its chunks."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        if not terms or ranges == () or (ranges is not None and not ranges):
            return []
        table, ranking = _RANKING[level]
        conditions = [f"{table} MATCH :query", "rank MATCH :ranking"]
        values: dict[str, object] = {
            "query": " OR ".join(dict.fromkeys(_quoted(term) for term in terms)),
            "ranking": ranking,
            "limit": limit,
        }
        if ranges is not None:
            # FTS5 reads only the part of its lists that lies between these two.
            conditions.append("rowid BETWEEN :first AND :last")
            values |= {"first": ranges[0].first, "last": ranges[-1].last}
        if ranges is not None and len(ranges) > 1:
            conditions.append(
                f"EXISTS (SELECT 1 FROM json_each(:ranges) WHERE {table}.rowid BETWEEN "
                "json_extract(value, '$[0]') AND json_extract(value, '$[1]'))"
            )
            values["ranges"] = json.dumps(list(ranges))
        statement = text(
            f"SELECT rowid, -rank FROM {table} WHERE {' AND '.join(conditions)} "
            "ORDER BY rank LIMIT :limit"
        )
        with self._database.read() as connection:
            return [LexicalHit(*row) for row in connection.execute(statement, values)]

    def ceiling(self, terms: Sequence[str], level: IndexLevel) -> float:
        """Return what BM25 approaches in a text that holds every term many times.

        A term that no text holds counts as the rarest. The words of a phrase count one by one,
        and a term that ends in `*` by the word before it.
        """
        words = list(dict.fromkeys(word.rstrip("*") for term in terms for word in term.split()))
        with self._database.read() as connection:
            row_count = connection.execute(
                text(f"SELECT coalesce(sum({level}_count), 0) FROM books")
            ).scalar_one()
            counts: dict[str, int] = dict(
                connection.execute(
                    text(
                        f"SELECT term, doc FROM json_each(:words) "
                        f"CROSS JOIN {level}_vocabulary ON term = value"
                    ),
                    {"words": json.dumps(words)},
                )
                .tuples()
                .all()
            )
        return (_K1 + 1) * sum(_idf(row_count, counts.get(word, 0)) for word in words)


def _idf(row_count: int, holding_count: int) -> float:
    """Return the weight that FTS5's BM25 gives a term; never 0 there either."""
    return max(math.log((row_count - holding_count + 0.5) / (holding_count + 0.5)), 1e-6)


def _quoted(term: str) -> str:
    """Return a term as an FTS5 string, in which no character has a meaning of its own."""
    prefix = term.endswith("*")
    words = term.rstrip("*").replace('"', '""')
    return f'"{words}" *' if prefix else f'"{words}"'
