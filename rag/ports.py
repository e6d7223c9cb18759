"""What retrieval and answers stand on: each port has one contract test for all who fill it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from core.books import ChunkId, IdRange
from core.embeddings import EmbeddingFingerprint

Float32Array = NDArray[np.float32]
Float16Array = NDArray[np.float16]
Int64Array = NDArray[np.int64]


class Embedder(Protocol):
    """Turns text into vectors. Making one is light; the model loads on first use or `warm_up`."""

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """What its vectors belong to, but for the chunker version, which the caller adds."""

    def warm_up(self) -> None:
        """Load the model. Raises EmbeddingError where it is missing or does not load."""

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Return unit vectors, shape (len(texts), dimension); what the model cannot take is cut."""

    def embed_query(self, text: str) -> Float32Array:
        """Return the unit vector, of shape (dimension,), of a question."""


class VectorHit(NamedTuple):
    """A chunk and its cosine with the query, -1 to 1."""

    chunk_id: ChunkId
    cosine: float


class VectorStore(Protocol):
    """Vectors of one fingerprint by chunk id. Thread-safe."""

    def __len__(self) -> int:
        """Count the vectors."""

    def add(self, ids: Int64Array, vectors: Float16Array) -> None:
        """Add vectors of shape (n, dimension); an id that is there already is replaced."""

    def remove(self, ids: IdRange) -> None:
        """Remove all vectors with ids in a range; none there is no error."""

    def search(
        self, query: Float32Array, k: int, ranges: Sequence[IdRange] | None = None
    ) -> list[VectorHit]:
        """Return the `k` nearest within `ranges` (None: all), nearest first."""

    def cosines(self, query: Float32Array, ids: Int64Array) -> Float32Array:
        """Return the cosine of each id with the query, NaN where an id has no vector."""

    def save(self, generation: int) -> None:
        """Make the store survive a restart, as of a database generation; a crash leaves the old."""

    def close(self) -> None:
        """Let go of files and memory."""


class Reranker(Protocol):
    """Scores passages against a question, better than retrieval can, at a cost."""

    def score(self, question: str, passages: Sequence[str]) -> list[float]:
        """Return a score for each passage, higher is better."""


Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of a streamed reply.

    Attributes:
        text: what to append to the answer.
        reasoning: what to append to the model's thinking, which is kept apart.
        finish_reason: set on the last piece: "stop", "length" or another word of the endpoint's.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None


class ChatModel(Protocol):
    """A language model that streams a reply to a list of messages."""

    @property
    def name(self) -> str:
        """The model's name, as shown to the reader."""

    @property
    def context_tokens(self) -> int:
        """How many tokens it takes, prompt and reply together."""

    def stream(
        self, messages: Sequence[ChatMessage], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[ChatDelta, None]:
        """Stream a reply; closing the iterator cancels it at the endpoint. Raises EndpointError."""
