"""Ingest jobs: one for each file on its way into the library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.books import BookId

JobId = int


class JobHold(NamedTuple):
    """Whose job it is: what is written under it is refused once somebody else holds it."""

    job_id: JobId
    owner: str


class JobState(StrEnum):
    """Where a job stands. `DONE`, `FAILED` and `CANCELLED` are final."""

    QUEUED = "queued"
    PARSING = "parsing"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Say whether the job is over."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class IngestJob:
    """One file's way into the library.

    Attributes:
        id: its number.
        source_path: the file's absolute path, "" where only the library's copy is left; to be shown
            by way of core.file_names.readable.
        book_id: the book, once the file was copied into the library.
        state: where it stands.
        paused: held by the reader; it goes on from where it was.
        done_characters: characters embedded so far.
        total_characters: characters to embed, 0 until the book is chunked.
        error: why it failed, in words for the reader.
        error_kind: the error's class name.
        owner: the process that works on it (`host:pid:start`), None while nobody does.
        heartbeat_at: when the owner last said so, in UTC; a stale one may be taken over.
        created_at: in UTC.
        started_at: in UTC, None while queued.
        finished_at: in UTC, None until final.
    """

    id: JobId
    source_path: str
    book_id: BookId | None
    state: JobState
    paused: bool
    done_characters: int
    total_characters: int
    error: str | None
    error_kind: str | None
    owner: str | None
    heartbeat_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
