from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.reading.finding import MAX_PLACES, find_places
from app.reading.places_found import PlacesFound
from core.text import Span


@given(text=st.text("ab \n", max_size=80), phrase=st.text("ab ", min_size=1, max_size=4))
def test_every_place_holds_the_phrase(text: str, phrase: str) -> None:
    for place in find_places(text, phrase):
        found = text[place.start : place.end]
        assert found.split() == phrase.split()


def test_capitals_and_line_ends_do_not_matter() -> None:
    text = "The White\nWhale. the white whale"
    assert [text[s.start : s.end] for s in find_places(text, "white  whale")] == [
        "White\nWhale",
        "white whale",
    ]


def test_a_place_across_two_windows_is_found_once() -> None:
    text = "x" * 99_998 + "whale" + "x" * 120_000 + "whale"
    starts = [place.start for place in find_places(text, "whale")]
    assert starts == [match.start() for match in re.finditer("whale", text)]


def test_signs_are_taken_as_they_are() -> None:
    assert find_places("a.c abc (x) [1]", "a.c") == [Span(0, 3)]
    assert find_places("a.c abc (x) [1]", "(x) [") == [Span(8, 13)]
    assert find_places("anything", "   ") == []


def test_there_is_an_end_to_places() -> None:
    assert len(find_places("a " * 5_000, "a")) == MAX_PLACES


def test_steps_begin_at_the_page_and_go_round() -> None:
    found = PlacesFound([Span(1, 2), Span(10, 12), Span(20, 21)])
    assert found.step(1, 5) == Span(10, 12)
    assert found.words() == "2 of 3"
    assert found.step(1, 0) == Span(20, 21)
    assert found.step(1, 0) == Span(1, 2)
    assert found.step(-1, 0) == Span(20, 21)
    assert found.within(Span(0, 11)) == [Span(1, 2), Span(10, 12)]
    assert PlacesFound().words() == "Nothing found"
