"""Embeds a whole library with another model, while searches go on with the one in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from app.background import Background
from core.errors import EmbeddingError
from core.jobs import IngestJob, JobState

if TYPE_CHECKING:
    from app.composition import Postil

_LOOK_S = 0.5
_OTHERS_AT_WORK_S = 1.0


class Reembedding:
    """Runs an ingest queue of its own on the library, for another model than the window's.

    What it has embedded is kept when it ends early: the next time it goes on from there.
    """

    def __init__(
        self,
        other: Postil,
        background: Background,
        on_progress: Callable[[float, float | None], None],
    ) -> None:
        """Join the parts.

        Args:
            other: the same library, opened with the other model, which is there.
            background: for what blocks.
            on_progress: told the share that is done, 0 to 1, and the seconds left if known.
        """
        self._other = other
        self._background = background
        self._on_progress = on_progress
        self._began: tuple[float, int] | None = None

    async def run(self) -> None:
        """Return when every passage of every book has an embedding.

        Raises:
            EmbeddingError: the model does not load, or the reader ended a book's job.
            StorageError: the library refuses.
        """
        runner = await self._background.read(lambda: self._other.ingest)
        try:
            job_ids = await runner.embed_missing()
            await runner.start()
            while not await self._is_done():
                if job_ids:
                    await self._watch(asyncio.ensure_future(runner.wait(job_ids)))
                else:  # what is missing is being read in by the window's own queue
                    await asyncio.sleep(_OTHERS_AT_WORK_S)
                job_ids = await runner.embed_missing()
        finally:
            await asyncio.shield(runner.close())

    async def _watch(self, waiting: asyncio.Future[list[IngestJob]]) -> None:
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=_LOOK_S)
                await self._is_done()
        finally:
            waiting.cancel()
        await self._background.read(self._check, waiting.result())

    def _check(self, jobs: Sequence[IngestJob]) -> None:
        present = {book.id for book in self._other.library.books.all()}
        for job in jobs:
            if job.book_id not in present:
                continue  # the reader removed the book meanwhile
            if job.state is JobState.CANCELLED:
                raise EmbeddingError("It was cancelled, so the model in use stays.")
            if job.error:
                raise EmbeddingError(job.error)

    async def _is_done(self) -> bool:
        """Tell how far it is, and say whether it is done."""
        done, total = await self._background.read(self._count)
        if self._began is None:
            self._began = monotonic(), done
        started_s, before = self._began
        speed = (done - before) / max(monotonic() - started_s, _LOOK_S)
        self._on_progress(done / max(total, 1), (total - done) / speed if speed > 0 else None)
        return done >= total

    def _count(self) -> tuple[int, int]:
        """Return how many passages are embedded, and how many there are."""
        library, fingerprint = self._other.library, self._other.fingerprint
        library.embeddings.register(fingerprint)
        wanted = sum(book.chunk_count for book in library.books.all() if book.status.has_text)
        return library.embeddings.count(fingerprint), wanted
