"""What verification lets through, for replies of every kind, cut in every way."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text import Span
from rag.answers.events import TextAdded
from rag.answers.quotes import Source
from rag.answers.verify import Verifier
from rag.answers.words import WordRow
from rag.answers.writer import Writer

PASSAGES = [
    "Call me Ishmael. Some years ago—never mind how long precisely—I thought I would sail about a "
    "little and see the watery part of the world.",
    "“It’s a white whale, I say,” resumed Ahab, as he threw down the topmaul: “a white whale. Skin "
    "your eyes for him, men; look sharp for white water.”",
    "“Vengeance on a dumb brute!” cried Starbuck, “that simply smote thee from blindest instinct!”",
]
ELSEWHERE = "And now the ship of the Rachel was seen, sailing as fast as the wind would carry her."
UNSENT_START = 10_000


def source(text: str, start: int) -> Source:
    return Source.of(1, start, "en", text)


SOURCES = [source(text, 1000 * number) for number, text in enumerate(PASSAGES)]
ALL = [*SOURCES, source(ELSEWHERE, UNSENT_START)]


def lookup(quote: WordRow) -> Sequence[Source]:
    return [ALL[-1]] if set(quote.words) & set(ALL[-1].row.words) else []


def verify(pieces: Sequence[str], language: str = "en") -> tuple[str, Writer, Verifier]:
    writer = Writer(lambda book_id, offset: "")
    verifier = Verifier("What does Ahab want?", language, SOURCES, lookup, writer)
    events = [event for piece in pieces for event in verifier.feed(piece)]
    events += verifier.finish()
    return "".join(e.text for e in events if isinstance(e, TextAdded)), writer, verifier


def shown(reply: str) -> tuple[str, list[str]]:
    text, writer, _ = verify([reply])
    return text, [citation.quote for citation in writer.citations]


@pytest.mark.parametrize(
    ("reply", "text", "quotes"),
    [
        ('He says "Call me Ishmael." [1]', "He says “Call me Ishmael.” [1]", ["Call me Ishmael."]),
        ('"call me ishmael", he says. [1]', "“Call me Ishmael” [1], he says.", ["Call me Ishmael"]),
        ("« Call me Ishmael » dit-il[1].", "“Call me Ishmael” [1] dit-il.", ["Call me Ishmael"]),
        ("„Call me Ishmael“ sagt er.", "“Call me Ishmael” [1] sagt er.", ["Call me Ishmael"]),
        ("»Call me Ishmael« sagt er.", "“Call me Ishmael” [1] sagt er.", ["Call me Ishmael"]),
        ("「Call me Ishmael」と言う。", "“Call me Ishmael” [1]と言う。", ["Call me Ishmael"]),
        ("'Call me Ishmael' it begins.", "“Call me Ishmael” [1] it begins.", ["Call me Ishmael"]),
        ("‘Call me Ishmael’ it begins.", "“Call me Ishmael” [1] it begins.", ["Call me Ishmael"]),
        # A wrong number does not hide the quote's place, and no other citation is added for it.
        ('"Call me Ishmael" [3].', "“Call me Ishmael” [1].", ["Call me Ishmael"]),
        # Dashes, hyphens and spaces as the model likes them; the book's own are shown.
        (
            '"Some years ago - never mind how long precisely - I thought" [1]',
            "“Some years ago—never mind how long precisely—I thought” [1]",
            ["Some years ago—never mind how long precisely—I thought"],
        ),
        # Dialogue with its own marks inside.
        (
            "Ahab: “‘It’s a white whale, I say,’ resumed Ahab” [2].",
            "Ahab: “It’s a white whale, I say,” resumed Ahab” [1].",
            ["It’s a white whale, I say,” resumed Ahab"],
        ),
        # Outside the passages, but in the scope.
        (
            'She came "sailing as fast as the wind" [1].',
            "She came “sailing as fast as the wind” [1].",
            ["sailing as fast as the wind"],
        ),
        # Partly invented: the longest runs.
        (
            '"Vengeance on a dumb brute that simply smote thee from blindest bananas" [3]',
            "“Vengeance on a dumb brute” [1] … “that simply smote thee from blindest” [2]",
            ["Vengeance on a dumb brute", "that simply smote thee from blindest"],
        ),
        # Wholly invented.
        ('He says "I love bananas more than whales" [2].', "He says […].", []),
        # Short and not there: no quote, plain words. Short and there: a quote.
        ("The so-called “monomania” rules.", "The so-called monomania rules.", []),
        ("The “white whale” [2] rules.", "The “white whale” [1] rules.", ["white whale"]),
        # Such words that stood alone, or first, read as a sentence without their marks.
        ("Ahab wants revenge. “nothing else”", "Ahab wants revenge. Nothing else", []),
        ("“monomania” rules Mr. “crooked”.", "Monomania rules Mr. crooked.", []),
        # Never closed.
        ("He says “Call me\n\nand so on", "He says Call me\n\nand so on", []),
        # Numbers out of range, links, images, HTML, Markdown.
        ("A man [9] goes [0] there [12].", "A man goes there.", []),
        ("See [my site](http://evil.test/x) now.", "See my site now.", []),
        ("See ![x](http://evil.test/x.png) now.", "See now.", []),
        ("See https://evil.test/?q=1 now.", "See now.", []),
        ("<b>Bold</b> <script>alert(1)</script>.", "Bold alert(1).", []),
        ("# Head\n\n* **one**\n* _two_", "Head\n\n- one\n- two", []),
        ("It is so [sic].", "It is so (sic).", []),
        ("Don't touch the sailors' things.", "Don't touch the sailors' things.", []),
    ],
)
def test_what_is_shown(reply: str, text: str, quotes: list[str]) -> None:
    assert shown(reply) == (text, quotes)


def test_a_mark_without_a_quote_cites_the_sentence_that_bears_it_out() -> None:
    text, quotes = shown("Starbuck cried against vengeance on the brute [3].")
    assert text == "Starbuck cried against vengeance on the brute [1]."
    assert quotes[0].startswith("Vengeance on a dumb brute!” cried Starbuck")


def test_a_mark_on_the_wrong_passage_moves_to_the_right_one() -> None:
    _, writer, verifier = verify(["Starbuck cried vengeance on the brute [1]."])
    assert writer.citations[0].span.start == 2001
    assert verifier.verdicts.marks_moved == 1


def test_a_mark_that_nothing_supports_is_dropped() -> None:
    assert shown("Bananas ripen slowly [1].") == ("Bananas ripen slowly.", [])


def test_a_sentence_in_another_language_keeps_its_mark() -> None:
    text, writer, _ = verify(["Ein Mann will zur See fahren [1]."], language="de")
    assert text == "Ein Mann will zur See fahren [1]."
    assert writer.citations[0].quote


def test_an_unmarked_sentence_gets_the_citation_it_deserves() -> None:
    text, quotes = shown("Ahab threw down the topmaul. He likes bananas.")
    assert text == "Ahab threw down the topmaul. [1] He likes bananas."
    assert "topmaul" in quotes[0]


def test_a_name_alone_is_cited() -> None:
    text, quotes = shown("Starbuck.")
    assert text == "Starbuck. [1]"
    assert "Starbuck" in quotes[0]


def test_equal_places_share_a_number() -> None:
    text, quotes = shown('"Call me Ishmael." [1] Again: "Call me Ishmael." [1]')
    assert text == "“Call me Ishmael.” [1] Again: “Call me Ishmael.” [1]"
    assert quotes == ["Call me Ishmael."]


def test_plain_words_appear_at_once_and_quotes_when_closed() -> None:
    writer = Writer(lambda book_id, offset: "")
    verifier = Verifier("Who?", "en", SOURCES, lookup, writer)
    assert verifier.feed("The man ") == [TextAdded("The man")]
    assert verifier.feed("says “Call me ") != []
    assert verifier.feed("Ishmael") == []
    assert verifier.feed("” and ") != []


FRAGMENTS = st.sampled_from(
    [
        *"\"“”„«»‹›「」『』'‘’[]()<>*_`#!\n .,:…—-",
        "\n\n", "[1]", "[2, 3]", "[1-3]", "[99]", "【1】", "[^2]", "(1)", "[passage 2]", " ",
        "Call me Ishmael", "Call me Ishmael.", "a white whale", "the watery part of the world",
        "blindest instinct", "sailing as fast as the wind would carry her", "he said", "Ahab",
        "I love bananas", "ship of the bananas", "Nennt mich Ismael", "叫我以实玛利", "白鯨だ。",
        "http://evil.test/a", "www.evil.test", "[x](http://evil.test)", "![y](http://evil.test)",
        "<b>", "</b>", "<script>", "<a href='http://evil.test'>", "https:", "//evil.test", "don't",
        "\u00ad", "\u200b", "ﬁ", "🐋", "e\u0301",
    ]
)  # fmt: skip
REPLIES = st.lists(FRAGMENTS, max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(REPLIES, st.integers(0, 2**32))
def test_whatever_a_model_says_quotes_are_the_books(reply: str, seed: int) -> None:
    whole, writer, _ = verify([reply])
    for citation in writer.citations:
        assert citation.quote == slice_of(citation.span)
    check_shown(whole, writer)
    assert verify(cut(reply, random.Random(seed)))[0] == whole, "however the stream is cut"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.integers(0, 2**32))
def test_any_text_at_all(reply: str, seed: int) -> None:
    whole, writer, _ = verify([reply])
    check_shown(whole, writer)
    assert verify(cut(reply, random.Random(seed)))[0] == whole


def cut(text: str, chance: random.Random) -> list[str]:
    pieces = []
    while text:
        size = chance.randint(1, 5)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def slice_of(span: Span) -> str:
    return next(one.slice(span) for one in ALL if one.span.contains(span))


def check_shown(text: str, writer: Writer) -> None:
    """Assert that what stands outside the cited quotes holds no quote, link or other number."""
    for citation in sorted(writer.citations, key=lambda c: -len(c.quote)):
        text = text.replace(f"“{citation.quote}”", "")
    assert not set(text) & set('"“”„‟«»‹›「」『』〝〞〟＂'), text
    numbers = {citation.number for citation in writer.citations}
    assert {int(n) for n in re.findall(r"\[\s*(\d+)", text)} <= numbers
    assert not re.search(r"(?i)https?://|www\.|<[a-z/!]|\]\(", text), text
    # The only brackets are those of citations and of what is left out.
    assert not re.sub(r"\[(\d+|…)\]", "", text).count("["), text


def test_a_huge_reply_is_read_in_reasonable_time() -> None:
    text, _, _ = verify(["whale " * 20_000])
    assert len(text) == 6 * 20_000 - 1
