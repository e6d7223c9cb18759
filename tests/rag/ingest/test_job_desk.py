"""Jobs of which other processes and their readers dispose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import DamagedBookError, NotFoundError
from core.events import EventBus
from core.home import Home
from core.jobs import JobState
from core.persistence.library import Library, open_library
from rag.ingest.job_desk import JobDesk, JobOverError
from rag.ingest.serial_thread import SerialThread

_FAR_AWAY = "far-host:1:1.0"


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    opened = open_library(Home(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
async def desk(library: Library) -> AsyncIterator[JobDesk]:
    database = SerialThread("test-database")
    yield JobDesk(library.jobs, EventBus(), database, stale_after_s=30.0)
    await database.close()


async def test_a_job_that_was_taken_and_went_with_its_book_is_over(
    library: Library, desk: JobDesk
) -> None:
    book, _ = library.books.add("hash", "a.txt", "A", "txt")
    job = await desk.create("a.txt", book.id)
    library.jobs.claim_next(_FAR_AWAY, stale_after_s=0.0)
    with pytest.raises(JobOverError):
        await desk.keep(job.id)
    assert not desk.holds(job.id)
    library.books.remove(book.id)
    await desk.fail(job.id, DamagedBookError("Broken."))
    assert (await desk.look(job.id)).state is JobState.CANCELLED


async def test_a_job_that_never_was_is_not_found(desk: JobDesk) -> None:
    with pytest.raises(NotFoundError):
        await desk.look(7)


async def test_the_reader_cancels_what_others_hold(library: Library, desk: JobDesk) -> None:
    job = library.jobs.create("a.txt", None, owner=_FAR_AWAY)
    assert (await desk.cancel(job.id)).state is JobState.CANCELLED
    done = await desk.create("b.txt")
    await desk.enter(done.id, JobState.DONE)
    assert (await desk.cancel(done.id)).state is JobState.DONE
