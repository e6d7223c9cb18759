"""A library with an ingest runner on it, and books to feed it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.events import Event, EventBus
from core.home import Home, model_cache_dir
from core.persistence.library import Library, open_library
from rag.chunking.fingerprint import passage_fingerprint
from rag.embedding import DEFAULT_MODEL, EmbeddingEngine, open_embedder
from rag.ingest.limits import IngestLimits
from rag.ingest.runner import AsyncIngestRunner
from rag.vectors import VectorIndex, VectorStoreFactory

QUICK = IngestLimits(heartbeat_s=0.2, batch_chunks=16)
_WORDS = """the a whale ship captain sea storm night lantern harbour letter garden winter old bright
silent carried found lost spoke remembered never always beneath across toward morning"""


@dataclass
class Site:
    """An open library with what an ingest runner needs, and all events so far."""

    home: Home
    library: Library
    events: EventBus
    embedder: EmbeddingEngine
    vectors: VectorIndex
    seen: list[Event] = field(default_factory=list)

    def runner(self, limits: IngestLimits = QUICK) -> AsyncIngestRunner:
        return AsyncIngestRunner(
            self.library, self.home, self.events, self.embedder, self.vectors, limits
        )

    @asynccontextmanager
    async def running(self, limits: IngestLimits = QUICK) -> AsyncIterator[AsyncIngestRunner]:
        runner = self.runner(limits)
        await runner.start()
        try:
            yield runner
        finally:
            await runner.close()

    def of_kind(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.seen if type(event) is kind]

    def close(self) -> None:
        self.vectors.close()
        self.embedder.close()
        self.library.close()


def open_site(root: Path) -> Site:
    home = Home(root)
    library = open_library(home)
    embedder = open_embedder(DEFAULT_MODEL, model_cache_dir())
    vectors = VectorIndex(
        VectorStoreFactory(home.index_dir),
        library.embeddings,
        lambda: passage_fingerprint(embedder),
    )
    site = Site(home, library, EventBus(), embedder, vectors)
    site.events.subscribe(site.seen.append)
    return site


def write_novel(path: Path, *, seed: int, paragraphs: int = 20) -> Path:
    """Write a plain text book that is the same for the same seed."""
    chance = random.Random(seed)
    words = _WORDS.split()
    lines: list[str] = []
    for number in range(paragraphs):
        if number % 10 == 0:
            lines.append(f"CHAPTER {number // 10 + 1}\n")
        sentences = [
            " ".join(chance.choices(words, k=chance.randint(5, 18))).capitalize() + "."
            for _ in range(chance.randint(1, 6))
        ]
        lines.append(" ".join(sentences) + "\n")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for a condition that other tasks or processes bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - it may hold by another process's doing
            await asyncio.sleep(0.01)


def contents(library: Library, embedder: EmbeddingEngine) -> dict[str, tuple[object, ...]]:
    """Return all that an ingest should have made, by source name and free of ids and times."""
    fingerprint = passage_fingerprint(embedder)
    vectors = {
        chunk_id: digest
        for batch in library.embeddings.read(fingerprint)
        for chunk_id, digest in zip(
            batch.ids, _row_digests(batch.rows, fingerprint.dimension), strict=True
        )
    }
    found: dict[str, tuple[object, ...]] = {}
    for book in library.books.all():
        ids = library.books.chunk_range(book.id)
        chunks = [] if ids is None else library.books.chunks(range(ids.first, ids.last + 1))
        assert book.source_name not in found
        found[book.source_name] = (
            book.status,
            library.books.text(book.id),
            [(chunk.span, vectors.pop(chunk.id, None)) for chunk in chunks],
            library.books.chapters(book.id),
        )
    assert not vectors, "embeddings of chunks that no book has"
    return found


def _row_digests(rows: bytes, dimension: int) -> list[str]:
    size = 2 * dimension
    return [
        hashlib.sha256(rows[start : start + size]).hexdigest()
        for start in range(0, len(rows), size)
    ]
