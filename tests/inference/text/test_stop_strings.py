from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inference.text.stop_strings import StopStrings

letters = st.text(alphabet="ab ", max_size=40)
stops = st.lists(st.text(alphabet="ab ", min_size=1, max_size=6), max_size=5)


def reference(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """Look at every beginning of the text in turn."""
    for end in range(len(text) + 1):
        met = [stop for stop in stops if text[:end].endswith(stop)]
        if met:
            stop = max(met, key=len)
            return text[: end - len(stop)], stop
    return text, None


def must_hold(text: str, stops: Sequence[str]) -> int:
    """The longest end of a text that may begin a stop string."""
    lengths = [
        length for stop in stops for length in range(1, len(stop)) if text.endswith(stop[:length])
    ]
    return max(lengths, default=0)


@given(pieces=st.lists(letters, max_size=8), stops=stops)
def test_as_a_search_in_the_whole_text(pieces: list[str], stops: list[str]) -> None:
    finder = StopStrings(stops)
    whole = "".join(pieces)
    emitted, seen = "", ""
    for piece in pieces:
        seen += piece
        text, stop = finder.push(piece)
        emitted += text
        if stop is not None:
            assert (emitted, stop) == reference(whole, stops)
            return
        assert emitted == seen[: len(seen) - must_hold(seen, stops)]
    assert (emitted + finder.flush(), None) == reference(whole, stops)


@given(text=st.text(max_size=60), cut=st.integers(0, 60), data=st.data())
def test_in_every_script(text: str, cut: int, data: st.DataObject) -> None:
    stop = text[cut : cut + data.draw(st.integers(1, 10))]
    stops = [stop] if stop else ["\x00unlikely"]
    finder = StopStrings(stops)
    emitted, met = "", None
    for character in text:
        piece, met = finder.push(character)
        emitted += piece
        if met is not None:
            break
    assert (emitted + ("" if met else finder.flush()), met) == reference(text, stops)


def test_the_longest_of_those_that_end_together() -> None:
    assert StopStrings(["b", "ab"]).push("xab") == ("x", "ab")


def test_many_long_strings_that_nearly_match() -> None:
    stops = ["a" * (960 + at) + chr(ord("b") + at % 20) for at in range(64)]
    finder = StopStrings(stops)
    emitted = "".join(finder.push("aaaa")[0] for _ in range(2_000))
    assert len(emitted) == 8_000 - (960 + 63)
    text, stop = finder.push("c")
    assert stop == stops[61]
    assert len(emitted) + len(text) == 8_000 - (960 + 61)


def test_without_stop_strings_nothing_is_held() -> None:
    finder = StopStrings([])
    assert finder.push("text") == ("text", None)
    assert finder.flush() == ""
