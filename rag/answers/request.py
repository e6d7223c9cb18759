"""A question on its way to an answer, once its passages are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.scope import Scope
from core.search_text import query_terms
from rag.answers.events import Answer, AnswerFinished, TextAdded, Turn
from rag.answers.language import question_language
from rag.answers.ports import BookLibrary, PassageSearch
from rag.answers.prompt import LANGUAGES, PromptFile, prompt_file
from rag.answers.quotes import Source
from rag.answers.shelf import Shelf
from rag.answers.trace import TraceRecorder
from rag.answers.writer import Writer, WrittenEvent
from rag.passages import Passage

PASSAGES = 12
"""How many passages retrieval is asked for; what a small model cannot take is left out later."""
FEW_TERMS = 3
"""A follow-up with fewer content words is searched together with the question before it."""
TURNS_SENT = 3
"""How many earlier turns a prompt holds at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a question after retrieval.

    Attributes:
        question: as the reader asked it.
        language: BCP 47 tag of the question, which the answer follows.
        prompts: prompts and phrases of that language.
        shelf: the books in scope.
        passages: what retrieval found, the best first.
        history: the last turns, oldest first.
        trace: collects what the stages see.
    """

    question: str
    language: str
    prompts: PromptFile
    shelf: Shelf
    passages: tuple[Passage, ...]
    history: tuple[Turn, ...]
    trace: TraceRecorder

    def source(self, passage: Passage) -> Source:
        """Take a passage apart for comparing."""
        language = self.shelf.language(passage.book_id)
        return Source.of(passage.book_id, passage.span.start, language, passage.text)

    def finished(
        self,
        written: Sequence[WrittenEvent],
        writer: Writer,
        *,
        answered: bool,
        model_name: str | None,
    ) -> AnswerFinished:
        """Return the event that ends an answer."""
        return AnswerFinished(
            Answer(
                text="".join(event.text for event in written if isinstance(event, TextAdded)),
                citations=tuple(writer.citations),
                answered=answered,
                model=model_name,
                passages=self.passages,
                trace=self.trace.trace(),
            )
        )


def retrieve(
    library: BookLibrary,
    retriever: PassageSearch,
    question: str,
    scope: Scope,
    history: Sequence[Turn],
) -> Request:
    """Find a question's passages inside a scope. May block.

    Raises:
        NotFoundError: the scope names a book that is not there.
    """
    trace = TraceRecorder()
    shelf = Shelf(library.books, scope)
    with trace.stage("retrieve") as seen:
        language = question_language(question, main_language(shelf))
        query = _standalone(question, language, history)
        passages = tuple(retriever.search(query, scope, k=PASSAGES))
        seen["query"] = query
        seen["language"] = language
        seen["books"] = len(shelf.books)
        seen["passages"] = [_passage_json(passage) for passage in passages]
    return Request(
        question,
        language,
        prompt_file(language),
        shelf,
        passages,
        tuple(history[-TURNS_SENT:]),
        trace,
    )


def main_language(shelf: Shelf) -> str:
    """Return the language that most of the books in scope are in."""
    languages = [book.metadata.language for book in shelf.books.values()]
    return max(languages, key=languages.count, default=LANGUAGES[0])


def _standalone(question: str, language: str, history: Sequence[Turn]) -> str:
    """Return what to search for: a follow-up of few words goes with the question before it."""
    if history and len(query_terms(question, language)) < FEW_TERMS:
        return f"{history[-1].question} {question}"
    return question


def _passage_json(passage: Passage) -> dict[str, object]:
    return {
        "book_id": passage.book_id,
        "start": passage.span.start,
        "end": passage.span.end,
        "score": round(passage.score, 4),
    }
