"""Conversations: questions and their answers, each quote a span of a book."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.books import BookId
from core.text import Span

ConversationId = int
MessageId = int


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote in an answer: always a slice of the book.

    Attributes:
        number: the `[n]` it bears in the answer, from 1.
        book_id: the book.
        chapter: its chapter's path of titles, for showing.
        span: its place in the canonical text.
        quote: the slice itself.
    """

    number: int
    book_id: BookId
    chapter: str
    span: Span
    quote: str


@dataclass(frozen=True, slots=True)
class Message:
    """A question and its answer.

    Attributes:
        id: its number.
        conversation_id: where it belongs.
        question: as the reader asked it.
        answer: plain text with `[n]` marks.
        citations: the quotes, by number.
        answered: False where the books do not say.
        model: the model that answered, None where the passages speak for themselves.
        stopped: the reader stopped it midway; what had come is kept.
        error: why the answer broke off, in words for the reader.
        trace: what each stage saw and how long it took (rag's RagTrace as JSON).
        asked_at: in UTC.
    """

    id: MessageId
    conversation_id: ConversationId
    question: str
    answer: str
    citations: tuple[Citation, ...]
    answered: bool
    model: str | None
    stopped: bool
    error: str | None
    trace: dict[str, Any]
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """A run of messages. `title` is the first question until the reader renames it."""

    id: ConversationId
    title: str
    created_at: datetime
    updated_at: datetime
