"""Guesses from the text: the longest match, the prompt first, and how they are judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.speculation import LONGEST_DRAFT, SHORTEST_DRAFT, PromptLookup

PASSAGE = list(range(100, 140))


def _guess(tokens: list[int], answer: list[int] | None = None) -> tuple[int, ...]:
    lookup = PromptLookup(tokens)
    tokens.extend(answer or [])
    return lookup.guess()


def test_a_quote_is_continued() -> None:
    assert _guess([*PASSAGE, 1, 2], PASSAGE[10:13]) == tuple(PASSAGE[13:17])


def test_two_tokens_are_no_match() -> None:
    assert _guess([*PASSAGE, 1, 2], PASSAGE[10:12]) == ()


def test_the_longest_match_is_taken() -> None:
    tokens = [9, 1, 2, 3, 50, 51, 52, 53, 8, 1, 2, 3, 60, 61, 62, 63, 7, 1, 2, 3, 70, 71, 72, 73]
    assert _guess([*tokens, 0, 8], [1, 2, 3]) == (60, 61, 62, 63)


def test_the_later_of_equals_is_taken() -> None:
    tokens = [9, 1, 2, 3, 50, 51, 52, 53, 8, 1, 2, 3, 60, 61, 62, 63, 0]
    assert _guess(tokens, [1, 2, 3]) == (60, 61, 62, 63)


def test_the_prompt_goes_before_the_answer() -> None:
    prompt = [9, 1, 2, 3, 50, 51, 52, 53, 0]
    assert _guess(prompt, [4, 1, 2, 3, 60, 61, 62, 63, 5, 1, 2, 3]) == (50, 51, 52, 53)


def test_the_answer_is_searched_too() -> None:
    assert _guess([0], [*PASSAGE, 7, *PASSAGE[5:9]]) == tuple(PASSAGE[9:13])


def test_a_repeated_phrase_goes_on_beyond_the_end() -> None:
    assert _guess([0], [1, 2, 1, 2, 1, 2]) == (1, 2, 1, 2)
    assert _guess([0], [5] * 5) == (5,) * 4


def test_right_guesses_grow_and_wrong_ones_shrink() -> None:
    tokens = [*PASSAGE, *PASSAGE, 1, 2]
    lookup = PromptLookup(tokens)
    tokens.extend(PASSAGE[:3])
    sizes = []
    for _ in range(3):
        guess = lookup.guess()
        sizes.append(len(guess))
        tokens.extend(guess)
    assert sizes == [SHORTEST_DRAFT, 8, LONGEST_DRAFT]
    assert lookup.hit_rate > 0.9
    lookup.guess()
    tokens.extend([7, 7, 7])
    lookup.guess()
    assert lookup.draft_tokens == SHORTEST_DRAFT


def test_a_guess_is_judged_by_the_next_token_though_it_was_not_drafted() -> None:
    tokens = [*PASSAGE, 1, 2]
    lookup = PromptLookup(tokens)
    first = lookup.hit_rate
    for token in PASSAGE[:10]:
        tokens.append(token)
        lookup.guess()
    sure = lookup.hit_rate
    assert first < 0.4 < 0.8 < sure
    for wrong in (1, 2, 3):
        tokens.extend([wrong, *PASSAGE[20:23]])
        lookup.guess()
    assert lookup.hit_rate < sure


def test_what_is_expected_of_a_draft() -> None:
    lookup = PromptLookup([1])
    lookup._hits, lookup._trials = 0.2, 0.0  # 1 of 2
    assert lookup.hit_rate == 0.5
    assert lookup.expected_tokens(2) == 0.5 + 0.25
    assert lookup.expected_tokens(16) < 1.0


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
)
def test_a_guess_is_what_followed_the_longest_match(prompt: list[int], answer: list[int]) -> None:
    tokens = list(prompt)
    lookup = PromptLookup(tokens)
    for token in answer:
        tokens.append(token)
        guess = lookup.guess()
        longest = max((_common(tokens, end) for end in range(len(tokens) - 1)), default=0)
        if longest < 3:
            assert guess == ()
            continue
        assert len(guess) == lookup.draft_tokens
        continued = [
            tokens[end + 1 :][: len(guess)]
            for end in range(len(tokens) - 1)
            if _common(tokens, end) == longest
        ]
        assert any(list(guess[: len(known)]) == known for known in continued)


def _common(tokens: list[int], end: int) -> int:
    length = 0
    while length < min(8, end + 1) and tokens[end - length] == tokens[-1 - length]:
        length += 1
    return length
