"""Which sentences answer where no model does, by words alone."""

from __future__ import annotations

from core.text import Span
from rag.answers.extract import extract
from rag.answers.quotes import Source
from rag.passages import Passage


def quotes(question: str, *texts: str, scores: tuple[float, ...] = ()) -> list[str]:
    """Return what is quoted of passages, which score alike unless told."""
    passages, sources, start = [], [], 0
    for number, text in enumerate(texts):
        score = scores[number] if scores else 1.0
        passages.append(Passage(1, "T", "", Span(start, start + len(text)), text, score))
        sources.append(Source.of(1, start, "en", text))
        start += len(text) + 1
    return [place.text for place in extract(question, passages, sources, None)]


def test_a_question_is_not_answered_by_a_question() -> None:
    question = "Why did the Morlocks take the Time Machine?"
    asking = "“Why had the hungry Morlocks taken my Time Machine into the bronze pedestal?”"
    telling = "They had dragged the Time Machine behind the bronze doors to lure me inside."
    assert quotes(question, f"{asking} {telling}") == [telling]


def test_a_sentence_that_only_repeats_the_question_says_nothing() -> None:
    question = "Why did the Traveller climb down the well?"
    told = "The Traveller climbed to recover his stolen machine from the creatures underground."
    text = f"The Traveller climbed down the well.\n{told}"
    assert quotes(question, text) == [told]


def test_a_short_sentence_comes_with_its_neighbour() -> None:
    assert quotes(
        "Who lit lamps?", "Old Tom lit all lamps. He was paid a shilling a week for it."
    ) == ["Old Tom lit all lamps. He was paid a shilling a week for it."]
    assert quotes("Who lit lamps?", "Winter evenings came early.\nOld Tom lit all lamps.")[0] == (
        "Old Tom lit all lamps."
    )


def test_the_passages_weigh() -> None:
    question = "What did the keeper carry?"
    near = "The keeper carried a heavy brass lantern up the winding stairs every evening at dusk."
    far = "The keeper carried a heavy wooden bucket down the winding stairs every morning at dawn."
    assert quotes(question, far, near, scores=(0.3, 1.0))[0] == near
    assert quotes(question, far, near, scores=(1.0, 0.3))[0] == far


def test_rare_words_weigh_more_than_those_in_every_sentence() -> None:
    question = "Why does Captain Ahab hate Fedallah?"
    usual = [
        f"Captain Ahab walked the deck on evening number {n}, hating nobody aboard."
        for n in range(6)
    ]
    rare = "Nothing that old Fedallah whispered by the boats could please his master that night."
    assert quotes(question, *usual, rare)[0] == rare


def test_a_list_without_sentences_is_quoted_whole() -> None:
    assert quotes("Which whales?", "Sperm whale\nRight whale") == ["Sperm whale\nRight whale"]
