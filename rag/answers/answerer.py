"""From a question to an answer: retrieve, then let a model or the passages speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from core.scope import Scope
from rag.answers.by_model import answer_by_model
from rag.answers.by_passages import answer_by_passages
from rag.answers.events import AnswerEvent, PassagesFound, Turn
from rag.answers.exact import answer_exactly
from rag.answers.ports import BookLibrary, PassageSearch
from rag.answers.request import retrieve
from rag.ports import ChatModel, Embedder


class Answerer:
    """Answers questions from the books of a library."""

    def __init__(
        self,
        library: BookLibrary,
        retriever: PassageSearch,
        embedder: Embedder | None = None,
    ) -> None:
        """Make an answerer; `embedder` improves the choice of sentences without a model."""
        self._library = library
        self._retriever = retriever
        self._embedder = embedder

    async def answer(
        self,
        question: str,
        scope: Scope,
        model: ChatModel | None,
        history: Sequence[Turn] = (),
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Answer a question; closing the iterator stops the model.

        The events are one PassagesFound, then text and citations, and one AnswerFinished at the
        end. With `model` None, the best passages' sentences are the answer. A question for a count,
        the contents or the length of a book is answered exactly, whatever the model.

        Raises:
            NotFoundError: the scope names a book that is not there.
            EndpointError: the model did not answer as it should; what came before stands.
        """
        exact = await asyncio.to_thread(answer_exactly, self._library, question, scope)
        if exact is not None:
            for event in exact:
                yield event
            return
        request = await asyncio.to_thread(
            retrieve, self._library, self._retriever, question, scope, history
        )
        yield PassagesFound(request.passages)
        if model is not None and request.passages:
            async with aclosing(answer_by_model(request, model, self._retriever)) as events:
                async for event in events:
                    yield event
            return
        name = None if model is None else model.name
        for event in await asyncio.to_thread(
            answer_by_passages, request, self._retriever, self._embedder, name
        ):
            yield event
