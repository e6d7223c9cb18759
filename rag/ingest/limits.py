"""What one book may cost, and how patient the ingest runner is."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """Limits of an ingest; the defaults suit a reader's machine.

    Attributes:
        max_file_bytes: of a source file.
        reading_s: time to read any book in, and
        reading_s_per_mib: time added for each MiB of its file (a slow laptop reads 1 MiB of EPUB
            in about 2 s).
        model_s: time for the embedding model to load; the first time it is also built.
        embedding_s: time for one batch of passages.
        max_worker_bytes: resident memory of the worker process.
        max_attempts: how often a job is tried when the worker process dies at it.
        max_refusals: how often in a row the library may refuse before those who wait are told.
        retry_s: pause before work is tried again that the library refused.
        batch_chunks: passages embedded and committed together; about 0.2 s of work.
        heartbeat_s: how often the jobs are looked at, for a pause or an end that another process
            asked for, and told that they are worked on where that was long ago.
        stale_after_s: silence after which another process may take a job over.
    """

    max_file_bytes: int = 2048 * _MIB
    reading_s: float = 60.0
    reading_s_per_mib: float = 10.0
    model_s: float = 900.0
    embedding_s: float = 300.0
    max_worker_bytes: int = 2048 * _MIB
    max_attempts: int = 3
    max_refusals: int = 3
    retry_s: float = 5.0
    batch_chunks: int = 48
    heartbeat_s: float = 2.0
    stale_after_s: float = 30.0

    def reading_limit_s(self, file_bytes: int) -> float:
        """Return the time that a file of this size may take to be parsed and chunked."""
        return self.reading_s + self.reading_s_per_mib * file_bytes / _MIB
