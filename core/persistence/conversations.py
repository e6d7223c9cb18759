"""Conversations, their messages and citations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from core.conversations import Citation, Conversation, ConversationId, Message, MessageId
from core.errors import NotFoundError
from core.persistence.database import Database
from core.persistence.tables import citations, conversations, messages
from core.text import Span


class SqlConversationStore:
    """Implements core.ports.ConversationStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, title: str) -> Conversation:
        """Begin a conversation."""
        now = datetime.now(UTC)
        statement = insert(conversations).values(title=title, created_at=now, updated_at=now)
        with self._database.write() as connection:
            row = connection.execute(statement.returning(conversations)).one()
            return Conversation(**row._mapping)

    def all(self) -> list[Conversation]:
        """Return all, the last used first."""
        query = select(conversations).order_by(
            conversations.c.updated_at.desc(), conversations.c.id.desc()
        )
        with self._database.read() as connection:
            return [Conversation(**row._mapping) for row in connection.execute(query)]

    def rename(self, conversation_id: ConversationId, title: str) -> None:
        """Give it another title."""
        with self._database.write() as connection:
            _update(connection, conversation_id, title=title)

    def remove(self, conversation_id: ConversationId) -> None:
        """Remove it with its messages."""
        own = messages.c.conversation_id == conversation_id
        with self._database.write() as connection:
            _check(connection, conversation_id)
            connection.execute(
                delete(citations).where(
                    citations.c.message_id.in_(select(messages.c.id).where(own))
                )
            )
            connection.execute(delete(messages).where(own))
            connection.execute(delete(conversations).where(conversations.c.id == conversation_id))

    def messages(self, conversation_id: ConversationId) -> list[Message]:
        """Return its messages, oldest first."""
        own = messages.c.conversation_id == conversation_id
        with self._database.read() as connection:
            _check(connection, conversation_id)
            cited: dict[MessageId, list[Citation]] = defaultdict(list)
            for row in connection.execute(
                select(citations)
                .join(messages, messages.c.id == citations.c.message_id)
                .where(own)
                .order_by(citations.c.message_id, citations.c.ordinal)
            ):
                cited[row.message_id].append(
                    Citation(
                        row.number, row.book_id, row.chapter, Span(row.start, row.end), row.quote
                    )
                )
            rows = connection.execute(select(messages).where(own).order_by(messages.c.id)).all()
        return [Message(**row._mapping, citations=tuple(cited[row.id])) for row in rows]

    def append(
        self,
        conversation_id: ConversationId,
        *,
        question: str,
        answer: str,
        citations: Sequence[Citation],
        answered: bool,
        model: str | None,
        stopped: bool = False,
        error: str | None = None,
        trace: Mapping[str, Any] | None = None,
    ) -> Message:
        """Store a question with its answer."""
        now = datetime.now(UTC)
        values = {
            "conversation_id": conversation_id,
            "question": question,
            "answer": answer,
            "answered": answered,
            "model": model,
            "stopped": stopped,
            "error": error,
            "trace": dict(trace or {}),
            "asked_at": now,
        }
        with self._database.write() as connection:
            _update(connection, conversation_id, updated_at=now)
            row = connection.execute(insert(messages).values(values).returning(messages)).one()
            _insert_citations(connection, row.id, citations)
        return Message(**row._mapping, citations=tuple(citations))


def _insert_citations(
    connection: Connection, message_id: MessageId, cited: Sequence[Citation]
) -> None:
    rows = [
        {
            "message_id": message_id,
            "ordinal": ordinal,
            "number": citation.number,
            "book_id": citation.book_id,
            "chapter": citation.chapter,
            "start": citation.span.start,
            "end": citation.span.end,
            "quote": citation.quote,
        }
        for ordinal, citation in enumerate(cited)
    ]
    if rows:
        connection.execute(insert(citations), rows)


def _update(connection: Connection, conversation_id: ConversationId, **values: object) -> None:
    own = conversations.c.id == conversation_id
    if connection.execute(update(conversations).where(own).values(values)).rowcount == 0:
        raise _unknown(conversation_id)


def _check(connection: Connection, conversation_id: ConversationId) -> None:
    query = select(conversations.c.id).where(conversations.c.id == conversation_id)
    if connection.execute(query).one_or_none() is None:
        raise _unknown(conversation_id)


def _unknown(conversation_id: ConversationId) -> NotFoundError:
    return NotFoundError(f"There is no conversation {conversation_id}.")
