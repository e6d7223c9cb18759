"""Whether the books in scope have anything to say to a question, where no model reads them.

Two things tell. The best passage's score, which sums closeness in meaning and the share of the
question's words (rag.retrieval.fusion); and names: a question about somebody whom the books in
scope never mention is not answered by them, unless a passage fits it so well that the name is
rather misspelt.

While a book is being embedded, some of its passages have no score by meaning yet. Each passage is
judged on the scale of what is known of it.

Measured with the default embedding model on FairytaleQA: of the 450 questions put to their own
book .99 are answered, of 44 of them rewritten in other words .91; put to another of the fifteen
books, which tell of kings and giants too, .48; of 300 questions on modern facts (XQuAD) .02.
`tests/benchmarks/answers.py` measures it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.search_text import search_text
from rag.answers.ports import PassageSearch
from rag.answers.shelf import Shelf
from rag.passages import Passage, SearchMode

MIN_SCORE = 0.45
"""Best score of a search by words and meaning below which nothing supports an answer."""
SURE_SCORE = 0.9
"""From here on, an unknown name does not count."""
MIN_WORD_SCORE = 0.4
"""Likewise for a search by words alone, on the scale of `Passage.word_score`."""
SURE_WORD_SCORE = 0.8

_WORD = re.compile(r"[^\W\d_]+")
_MIN_NAME_LETTERS = 3
_MOST_CAPITALISED = 0.6
"""A question with more of its words capitalised is written like a title; no name stands out."""
_NOUNS_CAPITALISED = ("de", "lb")


@dataclass(frozen=True, slots=True)
class Grounds:
    """What speaks for and against an answer.

    Attributes:
        enough: whether to answer.
        score: the best passage's score, of words alone where nothing is known of its meaning.
        by_meaning: whether its meaning is known.
        unknown_names: names in the question that the books in scope never mention.
    """

    enough: bool
    score: float
    by_meaning: bool
    unknown_names: tuple[str, ...]


def grounds_to_answer(
    question: str,
    language: str,
    passages: Sequence[Passage],
    shelf: Shelf,
    retriever: PassageSearch,
) -> Grounds:
    """Weigh whether passages can answer a question. May block."""
    best = max(map(_judge, passages), key=lambda judged: judged.strength, default=_NOTHING)
    if best.strength < 1 or best.is_sure:
        return Grounds(best.is_sure, best.score, best.by_meaning, ())
    unknown = tuple(
        name for name in names_in(question, language) if not _is_known(name, shelf, retriever)
    )
    return Grounds(not unknown, best.score, best.by_meaning, unknown)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One passage's score, on its own scale."""

    score: float
    least: float
    sure: float
    by_meaning: bool

    @property
    def strength(self) -> float:
        """The score in units of the least that is enough."""
        return self.score / self.least

    @property
    def is_sure(self) -> bool:
        return self.score >= self.sure


_NOTHING = _Judged(0.0, MIN_WORD_SCORE, SURE_WORD_SCORE, by_meaning=False)


def _judge(passage: Passage) -> _Judged:
    if passage.cosine is None:
        word_score = passage.word_score or 0.0
        return _Judged(word_score, MIN_WORD_SCORE, SURE_WORD_SCORE, by_meaning=False)
    return _Judged(passage.score, MIN_SCORE, SURE_SCORE, by_meaning=True)


def names_in(question: str, language: str) -> list[str]:
    """Return a question's names: words with a capital, but for the first one.

    None in languages that write every noun so, nor where most words have one.
    """
    words = _WORD.findall(question)
    capitalised = [word for word in words if word[0].isupper()]
    if language.partition("-")[0].lower() in _NOUNS_CAPITALISED or len(
        capitalised
    ) > _MOST_CAPITALISED * len(words):
        return []
    names = dict.fromkeys(word for word in words[1:] if word[0].isupper())
    return [name for name in names if len(name) >= _MIN_NAME_LETTERS]


def _is_known(name: str, shelf: Shelf, retriever: PassageSearch) -> bool:
    for book in shelf.books.values():
        language = book.metadata.language
        labels = search_text(f"{book.title} {book.author}", language).split()
        if search_text(name, language) in labels:
            return True
    return bool(retriever.search(name, shelf.scope, k=1, mode=SearchMode.WORDS))
