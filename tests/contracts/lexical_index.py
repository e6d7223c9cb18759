"""What every LexicalIndex must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import pytest

from core.books import IdRange
from core.ports import LexicalIndex


class LexicalIndexContract(ABC):
    """Inherit, and say how an index is filled."""

    @abstractmethod
    def fill(self, chunks: Sequence[str], parents: Sequence[tuple[str, str]]) -> LexicalIndex:
        """Return an index of these texts and (title, text) pairs in search form, ids from 1."""

    def ids(self, index: LexicalIndex, *terms: str) -> list[int]:
        return [hit.id for hit in index.search(terms, None, 10, "chunk")]

    def test_finds_any_of_the_terms_best_first(self) -> None:
        index = self.fill(["whale ship", "whale", "sea", "land", "sky"], [])
        hits = index.search(["whale", "ship"], None, 10, "chunk")
        assert [hit.id for hit in hits] == [1, 2]
        assert hits[0].score > hits[1].score > 0

    def test_limits_what_it_returns(self) -> None:
        index = self.fill(["whale"] * 3 + ["sea"] * 7, [])
        assert len(index.search(["whale"], None, 2, "chunk")) == 2

    def test_a_term_with_a_space_is_a_phrase(self) -> None:
        index = self.fill(["white whale", "whale white", "white sea whale", "land"], [])
        assert self.ids(index, "white whale") == [1]

    def test_a_term_with_a_star_is_the_beginning_of_a_word(self) -> None:
        index = self.fill(["龙王", "王龙 龙", "海", "山"], [])
        assert sorted(self.ids(index, "龙*")) == [1, 2]

    @pytest.mark.parametrize("term", ['"', "a OR b", "-", "NEAR(", "col:x", "^a", "'", "%", "\\"])
    def test_a_term_is_never_query_language(self, term: str) -> None:
        assert self.ids(self.fill(["whale", "sea"], []), term) == []

    def test_searches_only_inside_the_ranges(self) -> None:
        index = self.fill(["whale"] * 6 + ["sea"] * 9, [])
        ranges = [IdRange(2, 3), IdRange(5, 5)]
        found = index.search(["whale"], ranges, 10, "chunk")
        assert sorted(hit.id for hit in found) == [2, 3, 5]

    def test_many_ranges_are_as_exact_as_few(self) -> None:
        index = self.fill(["whale"] * 20 + ["sea"] * 30, [])
        ranges = [IdRange(first, first) for first in range(1, 30, 2)]
        found = index.search(["whale"], ranges, 50, "chunk")
        assert sorted(hit.id for hit in found) == list(range(1, 20, 2))

    def test_no_range_and_no_term_find_nothing(self) -> None:
        index = self.fill(["whale", "sea"], [])
        assert index.search(["whale"], [], 10, "chunk") == []
        assert index.search([], None, 10, "chunk") == []

    def test_scores_do_not_depend_on_the_scope(self) -> None:
        index = self.fill(["whale ship", "whale sea", "land", "sky"], [])
        (everywhere,) = [
            hit for hit in index.search(["whale", "sea"], None, 9, "chunk") if hit.id == 2
        ]
        (inside,) = index.search(["whale", "sea"], [IdRange(2, 2)], 9, "chunk")
        assert inside.score == pytest.approx(everywhere.score)

    def test_parents_are_found_by_their_titles_too(self) -> None:
        index = self.fill([], [("mobi dick", "call me"), ("emma", "handsom"), ("x", "y")])
        assert [hit.id for hit in index.search(["dick"], None, 9, "parent")] == [1]
        assert [hit.id for hit in index.search(["handsom"], None, 9, "parent")] == [2]

    def test_no_score_comes_near_the_ceiling_without_the_rarest_term(self) -> None:
        index = self.fill(["whale whale whale", "sea", "land", "sky"], [])
        (hit,) = index.search(["whale"], None, 1, "chunk")
        assert hit.score < index.ceiling(["whale"], "chunk")
        assert hit.score < index.ceiling(["whale", "kraken"], "chunk") / 2
