"""Finding quotes in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import Span
from rag.answers.quotes import Source, find_runs, find_whole, is_short
from rag.answers.words import WordRow

TEXT = (
    "It was the best of times, it was the worst of times; it was the age of wisdom—it was the "
    "“ﬁrst” age of fool\u00adishness… Don’t ask, Zoë! Café owners didn't."
)


def source(text: str = TEXT, start: int = 50, language: str = "en") -> Source:
    return Source.of(1, start, language, text)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("the best of times", "the best of times"),
        ("IT WAS THE BEST OF TIMES", "It was the best of times"),
        ("age of wisdom - it was", "age of wisdom—it was"),
        ("the 'first' age of foolishness...", "the “ﬁrst” age of fool\u00adishness…"),
        ("don't ask, zoe!", "Don’t ask, Zoë!"),
        ("cafe owners didn’t", "Café owners didn't"),
        ("times,", "times,"),
    ],
)
def test_spelling_that_models_change_does_not_hide_a_quote(quote: str, found: str) -> None:
    place = find_whole(WordRow.of(quote), [source()])
    assert place is not None
    assert place.text == found
    assert TEXT[place.span.start - 50 : place.span.end - 50] == found


@pytest.mark.parametrize("quote", ["est of tim", "the best of crimes", "worst best", "", "…"])
def test_what_is_not_there_word_for_word_is_not_found(quote: str) -> None:
    assert find_whole(WordRow.of(quote), [source()]) is None


def test_the_exact_spelling_is_preferred_and_the_first_source_first() -> None:
    place = find_whole(WordRow.of("The whale"), [source("the whale. The whale.")])
    assert place is not None
    assert place.text == "The whale"
    place = find_whole(WordRow.of("The whale"), [source("The ship"), source("the whale", 900)])
    assert place is not None
    assert (place.source, place.span) == (1, Span(900, 909))


def test_a_spliced_quote_falls_into_its_runs() -> None:
    sources = [source(), source("Call me Ishmael, some years ago, my good friend.", 900)]
    quote = "it was the age of wisdom and call me Ishmael some years ago he said"
    assert [run.text for run in find_runs(WordRow.of(quote), sources)] == [
        "it was the age of wisdom",
        "Call me Ishmael, some years ago",
    ]


@pytest.mark.parametrize(
    "quote",
    [
        "bananas and it was the of it was the apes",  # stop words only
        "best of bananas",  # too short
        "我喜欢香蕉",
    ],
)
def test_runs_that_say_nothing_do_not_count(quote: str) -> None:
    assert find_runs(WordRow.of(quote), [source()]) == []


def test_chinese_and_japanese_are_compared_by_character() -> None:
    text = "白鯨が現れた。エイハブは甲板に立ち、海を見つめていた。"
    place = find_whole(WordRow.of("甲板に立ち海を見つめていた。"), [source(text, 0, "ja")])
    assert place is not None
    assert place.text == "甲板に立ち、海を見つめていた。"
    runs = find_runs(WordRow.of("エイハブは甲板に立ち、歌を歌った"), [source(text, 0, "ja")])
    assert [run.text for run in runs] == ["エイハブは甲板に立ち"]


@pytest.mark.parametrize(
    ("text", "short"),
    [("white whale", True), ("the white whale", False), ("白鯨", True), ("白鯨が現れた", False)],
)
def test_short_quotes(text: str, short: bool) -> None:
    assert is_short(WordRow.of(text)) is short


@given(st.text(max_size=60), st.data())
def test_every_row_of_words_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    row = WordRow.of(text)
    if not row.words:
        return
    first = data.draw(st.integers(0, len(row.words) - 1))
    past = data.draw(st.integers(first + 1, len(row.words)))
    place = find_whole(WordRow.of(row.text[slice(*_span(row, first, past))]), [source(text, 7)])
    assert place is not None
    assert place.text == text[place.span.start - 7 : place.span.end - 7]


def _span(row: WordRow, first: int, past: int) -> tuple[int, int]:
    span = row.span_of(first, past)
    return span.start, span.end
