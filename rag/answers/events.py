"""What an answer is, and the events it comes in."""

from __future__ import annotations

from dataclasses import dataclass

from core.conversations import Citation
from rag.answers.trace import RagTrace
from rag.passages import Passage


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the same conversation, with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer.

    Attributes:
        text: plain text. What stands between “ and ” is a slice of a book and is followed by the
            `[n]` of its citation.
        citations: by number, from 1; each one's quote is a slice of a book inside the scope.
        answered: False where the books in scope do not say.
        model: the model that answered, None where the passages speak for themselves.
        passages: what retrieval found, the best first.
        trace: what each stage saw and how long it took.
    """

    text: str
    citations: tuple[Citation, ...]
    answered: bool
    model: str | None
    passages: tuple[Passage, ...]
    trace: RagTrace


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """Retrieval is done."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class TextAdded:
    """More of the answer's text, checked; all of them joined are the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class CitationAdded:
    """A citation, told before the text that holds its number."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    """The last event of every answer that did not break off."""

    answer: Answer


AnswerEvent = PassagesFound | TextAdded | CitationAdded | AnswerFinished
