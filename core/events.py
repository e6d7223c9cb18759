"""What has happened, told to whoever listens.

Events are published after the commit they speak of, carry ids only, and are named in the past
tense. Listeners are called on the publishing thread and must return at once; the window's bridge
hands them over to its own loop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core.books import BookId
from core.jobs import JobId, JobState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class BookAdded(Event):
    """A file was copied into the library; its text is not there yet."""

    book_id: BookId


@dataclass(frozen=True, slots=True)
class BookTextStored(Event):
    """A book can be read and searched by words."""

    book_id: BookId


@dataclass(frozen=True, slots=True)
class BookEmbedded(Event):
    """A book can be searched by meaning."""

    book_id: BookId


@dataclass(frozen=True, slots=True)
class BookChanged(Event):
    """A book's metadata, status or reading place changed."""

    book_id: BookId


@dataclass(frozen=True, slots=True)
class BookRemoved(Event):
    """A book and all that belonged to it is gone."""

    book_id: BookId


@dataclass(frozen=True, slots=True)
class JobChanged(Event):
    """A job entered a new state, was paused or taken up again."""

    job_id: JobId
    book_id: BookId | None
    state: JobState
    paused: bool = False


@dataclass(frozen=True, slots=True)
class JobProgressed(Event):
    """A job moved on.

    Attributes:
        done_characters: characters embedded so far.
        total_characters: characters to embed.
        characters_per_s: speed lately, 0.0 until known.
        eta_s: seconds left by that speed, None until known.
    """

    job_id: JobId
    book_id: BookId
    done_characters: int
    total_characters: int
    characters_per_s: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """A job is over and its book could not be read; `message` is for the reader."""

    job_id: JobId
    book_id: BookId | None
    message: str


@dataclass(frozen=True, slots=True)
class IngestIdle(Event):
    """No job is waiting or under way."""


@dataclass(frozen=True, slots=True)
class IngestStalled(Event):
    """The ingest cannot go on, mostly as the library refuses what it has to write.

    It is tried again until it goes on, and told once until then; `message` is for the reader.
    """

    message: str


@dataclass(frozen=True, slots=True)
class IndexRebuilt(Event):
    """The vector index was made anew from the stored embeddings."""

    vector_count: int


@dataclass(frozen=True, slots=True)
class EndpointsChanged(Event):
    """An endpoint was added, edited or removed."""


class LocalModelState(StrEnum):
    """How far a local model is from answering."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    UNLOADED = "unloaded"


@dataclass(frozen=True, slots=True)
class LocalModelChanged(Event):
    """The engine loaded a model on this computer, let go of it, or could not load it."""

    name: str
    state: LocalModelState


@dataclass(frozen=True, slots=True)
class LocalModelsChanged(Event):
    """A local model was added or removed."""


@dataclass(frozen=True, slots=True)
class SettingsChanged(Event):
    """A setting was changed."""


@dataclass(frozen=True, slots=True)
class ConversationChanged(Event):
    """A conversation got a message, a new title, or was removed."""

    conversation_id: int


Listener = Callable[[Event], None]


class EventBus:
    """Hands every published event to every listener, in the order they subscribed. Thread-safe."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for each event from now on; returns what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Tell every listener; one that raises is logged and keeps no other from hearing."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %r", event)
