"""What holds for every answer, whatever a model said."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.ports import BookStore
from core.scope import Scope
from rag.answers.events import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    CitationAdded,
    PassagesFound,
    TextAdded,
)

_MARKS = '"“”„‟«»‹›「」『』〝〞〟＂'


def check_events(events: Sequence[AnswerEvent], answer: Answer) -> None:
    """Assert that the events tell the answer, each citation before its number."""
    assert isinstance(events[0], PassagesFound)
    assert [type(event) for event in events].count(AnswerFinished) == 1
    assert events[0].passages == answer.passages
    told = ""
    known: list[int] = []
    for event in events[1:-1]:
        if isinstance(event, CitationAdded):
            known.append(event.citation.number)
        else:
            assert isinstance(event, TextAdded)
            told += event.text
            assert _numbers_outside_quotes(told, answer) <= set(known)
    assert told == answer.text
    assert known == list(range(1, len(answer.citations) + 1))


def check_in_books(books: BookStore, answer: Answer, scope: Scope) -> None:
    """Assert that every citation and every quote is a slice of a book inside the scope."""
    for number, citation in enumerate(answer.citations, start=1):
        assert citation.number == number
        assert citation.quote == books.text(citation.book_id, citation.span)
        assert citation.quote.strip() == citation.quote != ""
        up_to = scope.up_to(citation.book_id)
        assert up_to is None or citation.span.end <= up_to
    rest = without_quotes(answer)
    assert not set(rest) & set(_MARKS), rest
    shown = {int(number) for number in re.findall(r"\[(\d+)\]", rest)}
    assert shown == {citation.number for citation in answer.citations}
    assert not re.search(r"https?:|www\.|<[a-zA-Z/!]|\]\(", rest), rest


def without_quotes(answer: Answer) -> str:
    """Return the text without its cited quotes; each must be its citation's slice."""
    text = answer.text
    for citation in sorted(answer.citations, key=lambda c: -len(c.quote)):
        for glue in (" ", ""):
            mark = f"{glue}[{citation.number}]"
            text = text.replace(f"“{citation.quote}”{mark}", f"\u2063[{citation.number}]")
    return text


def _numbers_outside_quotes(told: str, answer: Answer) -> set[int]:
    for citation in answer.citations:
        told = told.replace(citation.quote, "")
    return {int(number) for number in re.findall(r"\[(\d+)\]", told)}
