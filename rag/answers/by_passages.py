"""The answer without a model."""

from __future__ import annotations

from rag.answers.events import AnswerEvent
from rag.answers.extract import extract
from rag.answers.grounds import grounds_to_answer
from rag.answers.ports import PassageSearch
from rag.answers.quotes import Located
from rag.answers.request import Request
from rag.answers.wording import not_found, place
from rag.answers.writer import Writer
from rag.ports import Embedder


def answer_by_passages(
    request: Request,
    retriever: PassageSearch,
    embedder: Embedder | None,
    model_name: str | None,
) -> list[AnswerEvent]:
    """Answer by quoting the passages' sentences, each with its place. May block.

    `model_name` is the model that would have answered, had there been any passage to send.
    """
    shelf, prompts = request.shelf, request.prompts
    writer = Writer(shelf.chapter_at)
    with request.trace.stage("extract") as seen:
        grounds = grounds_to_answer(
            request.question, request.language, request.passages, shelf, retriever
        )
        sentences: list[Located] = []
        if grounds.enough:
            sources = [request.source(passage) for passage in request.passages]
            sentences = extract(request.question, request.passages, sources, embedder)
        for number, sentence in enumerate(sentences):
            if number:
                writer.space("\n\n")
            writer.quote(sentence)
            writer.space(" ")
            named = place(prompts, shelf, sentence.book_id, sentence.span.start)
            writer.word(f"({named})")
        if not sentences:
            writer.word(not_found(prompts, shelf, request.question, request.language))
        seen["score"] = round(grounds.score, 4)
        seen["by_meaning"] = grounds.by_meaning
        seen["unknown_names"] = list(grounds.unknown_names)
        seen["sentences"] = len(sentences)
    events = writer.take()
    answered = bool(sentences)
    finished = request.finished(events, writer, answered=answered, model_name=model_name)
    return [*events, finished]
