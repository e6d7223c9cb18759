"""Puts one question, shows its answer as it comes, and keeps what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.background import Background
from app.conversation.places import PlaceFinder
from app.conversation.turn_view import TurnView
from core.conversations import Citation, Conversation, Message
from core.errors import PostilError
from core.events import LocalModelChanged, LocalModelState
from core.scope import Scope

if TYPE_CHECKING:
    from app.composition import Postil
    from rag.answers.events import Answer
    from rag.passages import Passage

_TITLE_CHARACTERS = 80


@dataclass(slots=True)
class Asked:
    """A question under way, and what has come of its answer.

    Attributes:
        question: as the reader typed it.
        scope: where the answer may come from.
        history: the turns before it.
        conversation: where it belongs, None until the first answer is kept.
        view: shows it.
        model: name of the model that answers, None for the passages alone.
        text: the pieces of the answer so far.
        citations: those told so far.
        answer: once it is finished.
        stopped: the reader stopped it.
        error: why it broke off.
    """

    question: str
    scope: Scope
    history: Sequence[Message]
    conversation: Conversation | None
    view: TurnView
    model: str | None = None
    text: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    answer: Answer | None = None
    stopped: bool = False
    error: PostilError | None = None


class Asker:
    """Asks through the library's answerer; all that blocks runs on threads."""

    def __init__(self, postil: Postil, background: Background) -> None:
        self._postil = postil
        self._background = background

    async def ask(self, asked: Asked) -> None:
        """Ask, and show what comes; cancelling stops the answer at its source."""
        try:
            await self._stream(asked)
        except asyncio.CancelledError:
            asked.stopped = True
        except PostilError as error:
            asked.error = error

    async def settle(self, asked: Asked) -> Message:
        """Show how it ended, and keep it; `asked.conversation` is set from then on."""
        answer = asked.answer
        text = "".join(asked.text) if answer is None else answer.text
        citations = tuple(asked.citations) if answer is None else answer.citations
        passages = () if answer is None else answer.passages
        finder = PlaceFinder(self._postil.library.books)
        places = await self._background.read(finder.places, citations, passages)
        asked.view.finish(text, places, by_model=asked.model is not None)
        if asked.error is not None:
            asked.view.show_error(str(asked.error), retry=True)
        else:
            asked.view.show_foot(
                foot_words(asked.model, stopped=asked.stopped), copyable=bool(text)
            )
        return await self._background.write(self._keep, asked, text, citations)

    async def _stream(self, asked: Asked) -> None:
        from rag.answers.events import AnswerFinished, CitationAdded, PassagesFound, TextAdded, Turn

        answerer = await self._background.read(lambda: self._postil.answerer)
        model = await self._background.read(self._postil.chat_model, None)
        asked.model = None if model is None else model.name
        history = [Turn(one.question, one.answer) for one in asked.history if one.answer]
        finder = PlaceFinder(self._postil.library.books)
        events = answerer.answer(asked.question, asked.scope, model, history)
        async with aclosing(events):
            async for event in events:
                match event:
                    case PassagesFound(passages):
                        _tell_found(asked, passages)
                    case TextAdded(text):
                        asked.text.append(text)
                        if asked.model is not None:
                            asked.view.add_text(text)
                    case CitationAdded(citation):
                        asked.citations.append(citation)
                        place = await self._background.read(finder.citation, citation)
                        asked.view.add_citation(place)
                    case AnswerFinished(answer):
                        asked.answer = answer

    def _keep(self, asked: Asked, text: str, citations: Sequence[Citation]) -> Message:
        """Store a turn, beginning the conversation with the first; on the writing thread."""
        from rag.answers.trace import trace_json

        store = self._postil.library.conversations
        if asked.conversation is None:
            asked.conversation = store.create(asked.question[:_TITLE_CHARACTERS])
        answer = asked.answer
        return store.append(
            asked.conversation.id,
            question=asked.question,
            answer=text,
            citations=citations,
            answered=answer is not None and answer.answered,
            model=asked.model,
            stopped=asked.stopped,
            error=None if asked.error is None else str(asked.error),
            trace=None if answer is None else trace_json(answer.trace),
        )


def foot_words(model: str | None, *, stopped: bool) -> str:
    """Say who answered."""
    words = f"Answered by {model}" if model is not None else "From your books, without a model"
    return f"{words} · stopped" if stopped else words


def model_words(changed: LocalModelChanged) -> str:
    """Say how far a model on this computer is; "" where there is nothing to wait for."""
    if changed.state is LocalModelState.LOADING:
        return f"{changed.name} is being loaded into memory…"
    if changed.state is LocalModelState.READY:
        return f"{changed.name} is reading…"
    return ""


def _tell_found(asked: Asked, passages: Sequence[Passage]) -> None:
    if asked.model is None or not passages:
        return
    count = "one passage" if len(passages) == 1 else f"{len(passages)} passages"
    asked.view.say(f"{asked.model} is reading {count}…")
