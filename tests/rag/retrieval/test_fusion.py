"""How scores are joined."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.fusion import CHUNK_WORDS, PARENT_WORDS, fuse, word_shares

scores = st.floats(0, 100, width=32)


@given(scores, scores, st.floats(1, 200), st.floats(1, 200))
def test_shares_grow_with_either_score(
    chunk: float, parent: float, chunk_ceiling: float, parent_ceiling: float
) -> None:
    less = word_shares(np.float32([chunk]), np.float32([parent]), chunk_ceiling, parent_ceiling)
    more = word_shares(
        np.float32([chunk + 1]), np.float32([parent + 1]), chunk_ceiling, parent_ceiling
    )
    assert 0 <= less[0] < more[0]


def test_a_text_at_the_ceiling_has_the_full_share() -> None:
    full = word_shares(np.float32([7]), np.float32([9]), 7, 9)
    assert full[0] == np.float32(CHUNK_WORDS + PARENT_WORDS)


def test_without_words_the_cosine_decides() -> None:
    cosines = np.float32([0.2, 0.9, 0.5])
    shares = word_shares(np.zeros(3, np.float32), np.zeros(3, np.float32), 0.0, 0.0)
    assert fuse(cosines, shares).tolist() == cosines.tolist()


def test_words_outweigh_meaning_only_where_most_of_them_are_held() -> None:
    cosines = np.float32([0.6, 0.3])
    few, most = np.float32([0.0, 0.2]), np.float32([0.0, 1.1])
    assert fuse(cosines, few)[0] > fuse(cosines, few)[1]
    assert fuse(cosines, most)[0] < fuse(cosines, most)[1]
