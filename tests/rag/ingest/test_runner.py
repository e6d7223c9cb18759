"""The whole way of a book: real worker process, real database, real embeddings."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.books import BookStatus
from core.embeddings import EmbeddingFingerprint
from core.errors import CancelledByReaderError, ConflictError, NotFoundError, StorageError
from core.events import (
    BookAdded,
    BookEmbedded,
    BookRemoved,
    BookTextStored,
    Event,
    IngestIdle,
    IngestStalled,
    JobChanged,
    JobFailed,
    JobProgressed,
)
from core.jobs import IngestJob, JobState
from core.text import Span
from rag.ingest.job_desk import JobDesk
from rag.ingest.limits import IngestLimits
from support.epubs import PIXEL, EpubSource, xhtml
from support.ingest import QUICK, Site, contents, open_site, until, write_novel

pytestmark = pytest.mark.model


async def test_books_become_searchable_by_words_and_by_meaning(site: Site, tmp_path: Path) -> None:
    paths = [write_novel(tmp_path / f"{seed}.txt", seed=seed) for seed in range(2)]
    async with site.running() as runner:
        jobs = await runner.wait(await runner.add(paths))
        await until(lambda: bool(site.of_kind(IngestIdle)))
    for job, path in zip(jobs, paths, strict=True):
        assert job.state is JobState.DONE
        assert job.done_characters == job.total_characters > 0
        book = site.library.books.get(job.book_id or 0)
        assert book.status is BookStatus.READY
        assert book.embedded_count == book.chunk_count > 0
        assert (site.home.books_dir / book.content_hash).read_bytes() == path.read_bytes()
        text = site.library.books.text(book.id)
        id_range = site.library.books.chunk_range(book.id)
        assert id_range is not None
        chunk = site.library.books.chunks([id_range.first + 3])[0]
        assert site.library.books.text(book.id, chunk.span) == text[slice(*_ends(chunk.span))]
        query = site.embedder.embed_query(text[slice(*_ends(chunk.span))])
        best = site.vectors.current().search(np.asarray(query), 1)[0]
        assert best.chunk_id == chunk.id
        assert best.cosine > 0.99
    assert site.library.lexical.search(["lantern"], None, 5, "chunk")


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end


async def test_events_tell_the_story_in_order(site: Site, tmp_path: Path) -> None:
    async with site.running() as runner:
        path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=60)
        await runner.wait(await runner.add([path]))
    states = [event.state for event in site.seen if isinstance(event, JobChanged)]
    assert list(dict.fromkeys(states)) == [
        JobState.QUEUED,
        JobState.PARSING,
        JobState.CHUNKING,
        JobState.EMBEDDING,
        JobState.DONE,
    ]
    kinds = [type(event) for event in site.seen]
    assert kinds.index(BookAdded) < kinds.index(BookTextStored) < kinds.index(BookEmbedded)
    progress = [event for event in site.seen if isinstance(event, JobProgressed)]
    done = [event.done_characters for event in progress]
    assert done == sorted(set(done))
    assert progress[-1].done_characters == progress[-1].total_characters
    assert progress[-1].characters_per_s > 0
    assert progress[-1].eta_s == 0


async def test_words_come_before_meaning(site: Site, tmp_path: Path) -> None:
    paths = [write_novel(tmp_path / f"{seed}.txt", seed=seed) for seed in range(3)]
    async with site.running() as runner:
        await runner.wait(await runner.add(paths))
    kinds = [type(event) for event in site.seen]
    last_text = len(kinds) - kinds[::-1].index(BookTextStored)
    assert last_text < kinds.index(BookEmbedded)


async def test_the_same_content_is_one_book(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1)
    copy = tmp_path / "b.txt"
    copy.write_bytes(path.read_bytes())
    async with site.running() as runner:
        first, again = await runner.add([path, copy])
        assert again == first
        await runner.wait([first])
        jobs = await runner.wait(await runner.add([copy]))
    assert [job.state for job in jobs] == [JobState.DONE]
    assert len(site.library.books.all()) == 1
    assert len(list(site.home.books_dir.iterdir())) == 1
    assert len(site.of_kind(BookEmbedded)) == 1


async def test_bad_files_fail_and_the_queue_goes_on(site: Site, tmp_path: Path) -> None:
    good = write_novel(tmp_path / "good.txt", seed=1, paragraphs=6)
    empty = tmp_path / "empty.txt"
    empty.touch()
    junk = tmp_path / "junk.epub"
    junk.write_bytes(b"\x00\x01\x02" * 500)
    picture = tmp_path / "picture.txt"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    locked = EpubSource(
        {"a.xhtml": bytes(range(128, 256)) * 9}, files={"META-INF/encryption.xml": _ENCRYPTION}
    ).write(tmp_path / "locked.epub")
    missing = tmp_path / "missing.txt"
    paths = [tmp_path, missing, empty, junk, picture, locked, good]
    async with site.running() as runner:
        jobs = await runner.wait(await runner.add(paths))
    assert [job.error_kind for job in jobs] == [
        "UnknownFormatError",
        "BadBookError",
        "EmptyBookError",
        "UnknownFormatError",
        "UnknownFormatError",
        "ProtectedBookError",
        None,
    ]
    assert [job.state for job in jobs] == [JobState.FAILED] * 6 + [JobState.DONE]
    assert len(site.of_kind(JobFailed)) == 6
    for job in jobs[2:6]:
        book = site.library.books.get(job.book_id or 0)
        assert (book.status, book.error) == (BookStatus.FAILED, job.error)


_ENCRYPTION = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
 xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>
<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes256-cbc"/>
<enc:CipherData><enc:CipherReference URI="EPUB/a.xhtml"/></enc:CipherData>
</enc:EncryptedData></encryption>"""


async def test_a_failed_book_is_tried_again_when_added_again(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=6)
    async with site.running(IngestLimits(max_worker_bytes=1)) as runner:
        (failed,) = await runner.wait(await runner.add([path]))
    assert failed.error_kind == "OversizedBookError"
    assert "memory" in (failed.error or "")
    async with site.running() as runner:
        (job,) = await runner.wait(await runner.add([path]))
    assert job.state is JobState.DONE
    assert [book.status for book in site.library.books.all()] == [BookStatus.READY]
    assert site.library.books.all()[0].error is None


async def test_retry_takes_up_what_failed_and_nothing_else(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=6)
    async with site.running(IngestLimits(reading_s=0.01, reading_s_per_mib=0)) as runner:
        (failed,) = await runner.wait(await runner.add([path]))
        assert failed.error_kind == "OversizedBookError"
    path.unlink()
    async with site.running() as runner:
        (job,) = await runner.wait([await runner.retry(failed.id)])
        assert job.state is JobState.DONE
        with pytest.raises(ConflictError):
            await runner.retry(job.id)
        with pytest.raises(NotFoundError):
            await runner.retry(999)


async def test_a_paused_job_stays_put_over_a_restart(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=90)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        await until(lambda: bool(site.of_kind(JobProgressed)))
        await runner.pause(job_id)
        assert site.seen[-1] == JobChanged(job_id, 1, JobState.EMBEDDING, paused=True)
        await until(lambda: bool(site.of_kind(IngestIdle)))
    embedded = site.library.books.get(1).embedded_count
    assert 0 < embedded < site.library.books.get(1).chunk_count
    site.seen.clear()
    async with site.running() as runner:
        await asyncio.sleep(0.5)
        assert not site.of_kind(JobProgressed)
        await runner.resume(job_id)
        (job,) = await runner.wait([job_id])
    assert job.state is JobState.DONE
    first = site.of_kind(JobProgressed)[0]
    assert isinstance(first, JobProgressed)
    assert first.done_characters > first.total_characters * embedded / 3_000


@pytest.mark.parametrize("moment", [BookAdded, BookTextStored, JobProgressed])
async def test_cancelling_removes_a_new_book(
    site: Site, tmp_path: Path, moment: type[BookAdded]
) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=90)
    other = write_novel(tmp_path / "b.txt", seed=2, paragraphs=6)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        await until(lambda: bool(site.of_kind(moment)))
        await runner.cancel(job_id)
        await runner.cancel(job_id)
        (job,) = await runner.wait([job_id])
        assert job.state is JobState.CANCELLED
        assert site.library.books.all() == []
        assert list(site.home.books_dir.iterdir()) == []
        assert site.of_kind(BookRemoved) == [BookRemoved(1)]
        (job,) = await runner.wait(await runner.add([other]))
        assert job.state is JobState.DONE


async def test_a_cancel_by_another_process_is_heard(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=90)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        await until(lambda: bool(site.of_kind(JobProgressed)))
        site.library.jobs.set_state(job_id, JobState.CANCELLED)
        await until(lambda: not site.library.books.all())
        (job,) = await runner.wait([job_id])
    assert job.state is JobState.CANCELLED
    assert list(site.home.books_dir.iterdir()) == []


async def test_a_book_that_is_being_read_outlives_its_job(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=90)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        await until(lambda: bool(site.of_kind(JobProgressed)))
        site.library.books.set_reading_offset(1, 100)
        await runner.cancel(job_id)
    assert site.library.books.get(1).status is BookStatus.SEARCHABLE
    assert len(list(site.home.books_dir.iterdir())) == 1


async def test_removing_a_book_ends_its_job(site: Site, tmp_path: Path) -> None:
    paths = [write_novel(tmp_path / f"{n}.txt", seed=n, paragraphs=50) for n in range(2)]
    async with site.running() as runner:
        first, second = await runner.add(paths)
        await until(lambda: bool(site.of_kind(JobProgressed)))
        site.library.books.remove(1)
        jobs = await runner.wait([first, second])
    assert [job.state for job in jobs] == [JobState.CANCELLED, JobState.DONE]


async def test_closing_leaves_jobs_for_the_next_start(site: Site, tmp_path: Path) -> None:
    paths = [write_novel(tmp_path / f"{seed}.txt", seed=seed) for seed in range(3)]
    for moment in (BookAdded, BookTextStored, JobProgressed):
        async with site.running() as runner:
            await runner.add(paths)
            await until(lambda moment=moment: bool(site.of_kind(moment)))
        assert all(job.owner is None for job in site.library.jobs.all())
    for path in paths:
        path.unlink()
    async with site.running() as runner:
        jobs = await runner.wait([job.id for job in site.library.jobs.all()])
    assert {job.state for job in jobs} == {JobState.DONE}
    assert [book.status for book in site.library.books.all()] == [BookStatus.READY] * 3


async def test_without_the_model_words_find_the_book(
    wordless_site: Site, tmp_path: Path, built_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = wordless_site
    async with site.running() as runner:
        (job,) = await runner.wait(await runner.add([write_novel(tmp_path / "a.txt", seed=1)]))
    assert (job.state, job.error_kind) == (JobState.DONE, "EmbeddingError")
    assert site.library.books.get(1).status is BookStatus.SEARCHABLE
    assert site.library.lexical.search(["lantern"], None, 5, "chunk")
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(built_model))
    async with site.running():
        await until(lambda: site.library.books.get(1).status is BookStatus.READY)


async def test_every_way_to_the_end_gives_the_same_library(
    site: Site, tmp_path: Path, model_cache: Path
) -> None:
    """Broken off again and again, a library ends as it does undisturbed."""
    paths = [write_novel(tmp_path / f"{seed}.txt", seed=seed) for seed in range(2)]
    async with site.running() as runner:
        await runner.wait(await runner.add(paths))
    broken = open_site(tmp_path / "broken")
    try:
        runner = broken.runner()
        await runner.add(paths)
        await runner.close()
        for pause_s in (0.3, 1.0):
            async with broken.running(QUICK):
                await asyncio.sleep(pause_s)
        async with broken.running() as runner:
            await runner.wait([job.id for job in broken.library.jobs.all()])
        assert contents(broken.library, broken.embedder) == contents(site.library, site.embedder)
    finally:
        broken.close()


async def test_a_full_disk_fails_the_job_in_words(site: Site, tmp_path: Path) -> None:
    """SQLite is told that its file may not grow: it then says what it says of a full disk."""
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=300)
    with site.library._database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    async with site.running() as runner:
        (failed,) = await runner.wait(await runner.add([path]))
        assert failed.error_kind == "StorageError"
        assert "full" in (failed.error or "")
        with site.library._database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        (job,) = await runner.wait([await runner.retry(failed.id)])
    assert job.state is JobState.DONE


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
async def test_a_file_whose_name_is_no_text_is_found_again(site: Site, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt\xff"))
    async with site.running() as runner:
        (failed,) = await runner.wait(await runner.add([path]))
        assert failed.error == f"There is no file “{tmp_path}/caf\ufffd.txt\ufffd”."
        assert failed.source_path == str(path)
        write_novel(path, seed=1, paragraphs=5)
        (job,) = await runner.wait([await runner.retry(failed.id)])
    assert job.state is JobState.DONE
    assert site.library.books.get(1).source_name == "caf\ufffd.txt\ufffd"


@pytest.mark.slow
async def test_a_book_dropped_while_the_model_is_built_is_read_first(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(tmp_path / "models"))
    first, second = (write_novel(tmp_path / f"{seed}.txt", seed=seed) for seed in range(2))
    async with site.running() as runner:
        await runner.add([first])
        await until(lambda: bool(site.of_kind(BookTextStored)))
        await asyncio.sleep(0.5)
        await runner.add([second])
        await until(lambda: len(site.of_kind(BookTextStored)) == 2)
        assert not site.of_kind(JobProgressed)
        jobs = await runner.wait([job.id for job in site.library.jobs.all()])
    assert {job.state for job in jobs} == {JobState.DONE}


def _write_covered(path: Path) -> Path:
    source = EpubSource(
        {"a.xhtml": xhtml("<p>It rained all day.</p>")},
        manifest='<item id="c" href="c.gif" media-type="image/gif" properties="cover-image"/>',
        files={"EPUB/c.gif": PIXEL},
    )
    return source.write(path)


async def test_the_cover_is_kept_beside_the_book(site: Site, tmp_path: Path) -> None:
    left = site.home.covers_dir / ".incoming-by-a-process-that-was-killed"
    left.touch()
    os.utime(left, (1, 1))
    async with site.running() as runner:
        await runner.wait(await runner.add([_write_covered(tmp_path / "a.epub")]))
    assert not left.exists()
    book = site.library.books.get(1)
    assert book.cover_name is not None
    assert (site.home.covers_dir / book.cover_name).read_bytes() == PIXEL
    assert all(path.exists() for path in site.home.files_of(book))


@pytest.mark.expects_logs
async def test_a_book_whose_cover_cannot_be_written_has_none(site: Site, tmp_path: Path) -> None:
    async with site.running() as runner:
        site.home.covers_dir.rmdir()
        (job,) = await runner.wait(await runner.add([_write_covered(tmp_path / "a.epub")]))
    assert job.state is JobState.DONE
    assert site.library.books.get(1).cover_name is None


@pytest.mark.expects_logs
async def test_a_library_that_takes_nothing_is_told_and_tried_again(
    site: Site, tmp_path: Path
) -> None:
    """Not even the failure of a job can be kept: as on a disk that is full to the last byte."""

    def refuse_writes(refuse: bool) -> None:
        with closing(site.library._database._writer.raw_connection()) as connection:
            connection.cursor().execute(f"PRAGMA query_only = {refuse:d}")

    limits = IngestLimits(heartbeat_s=0.2, retry_s=0.2)
    async with site.running(limits) as runner:
        (job_id,) = await runner.add([write_novel(tmp_path / "a.txt", seed=1, paragraphs=5)])
        refuse_writes(True)
        with pytest.raises(StorageError, match="may not be written"):
            await runner.wait([job_id])
        (stalled,) = site.of_kind(IngestStalled)
        assert "may not be written" in str(stalled)
        refuse_writes(False)
        await until(lambda: site.library.jobs.get(job_id).state is JobState.DONE)
        assert (await runner.wait([job_id]))[0].state is JobState.DONE


@pytest.mark.expects_logs
@pytest.mark.parametrize("method", ["claim", "beat"])
async def test_an_error_outside_of_jobs_ends_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    calls: list[None] = []
    healthy = getattr(JobDesk, method)

    async def break_once(desk: JobDesk) -> object:
        calls.append(None)
        if len(calls) == 1:
            raise ZeroDivisionError
        return await healthy(desk)

    monkeypatch.setattr(JobDesk, method, break_once)
    async with site.running(IngestLimits(heartbeat_s=0.1, retry_s=0.1)) as runner:
        await until(lambda: len(calls) > 1)
        (job,) = await runner.wait(
            await runner.add([write_novel(tmp_path / "a.txt", seed=1, paragraphs=5)])
        )
    assert job.state is JobState.DONE


async def test_a_job_paused_elsewhere_need_not_be_waited_for(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=90)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        await runner.pause(job_id)
    async with site.running() as runner:
        (again,) = await runner.add([path])
        (job,) = await runner.wait([again], also_paused=True)
        assert job.paused
        assert not job.state.is_final
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runner.wait([again]), 1.0)


_FAR_AWAY = "far-host:1:1.0"
_DEAF = IngestLimits(heartbeat_s=60.0)


@pytest.mark.parametrize("moment", [BookAdded, BookTextStored, JobProgressed])
async def test_a_job_that_another_process_took_is_left_to_it(
    site: Site, tmp_path: Path, moment: type[BookAdded]
) -> None:
    """As after a suspend, before the first heartbeat tells of it."""
    taken: list[IngestJob | None] = []
    embedded_by_then: list[int] = []

    def take(event: Event) -> None:
        if isinstance(event, moment) and not taken:
            taken.append(site.library.jobs.claim_next(_FAR_AWAY, stale_after_s=0.0))
            embedded_by_then.append(site.library.books.get(1).embedded_count)

    site.events.subscribe(take)
    async with site.running(_DEAF) as runner:
        await runner.add([write_novel(tmp_path / "a.txt", seed=1, paragraphs=60)])
        await until(lambda: bool(taken))
        (job,) = await runner.wait(
            await runner.add([write_novel(tmp_path / "b.txt", seed=2, paragraphs=5)])
        )
        assert job.state is JobState.DONE
        job = site.library.jobs.get(1)
        assert taken[0] is not None
        assert (job.owner, job.state) == (_FAR_AWAY, taken[0].state)
        book = site.library.books.get(1)
        assert book.status is not BookStatus.FAILED
        assert book.embedded_count == embedded_by_then[0]


async def test_who_lost_a_job_does_not_fail_its_book(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def collide(*_: object) -> None:
        site.library.jobs.claim_next(_FAR_AWAY, stale_after_s=0.0)
        raise StorageError("Both wrote the same row.")

    monkeypatch.setattr(type(site.library.books), "append_blocks", collide)
    async with site.running(_DEAF) as runner:
        await runner.add([write_novel(tmp_path / "a.txt", seed=1)])
        await until(lambda: bool(site.of_kind(IngestIdle)))
    job, book = site.library.jobs.get(1), site.library.books.get(1)
    assert (job.owner, job.state, job.error) == (_FAR_AWAY, JobState.CHUNKING, None)
    assert (book.status, book.error) == (BookStatus.PARSING, None)


@pytest.mark.expects_logs
async def test_an_unexpected_error_fails_one_job_only(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_novel(tmp_path / f"{seed}.txt", seed=seed, paragraphs=5) for seed in range(2)]
    begin_text = type(site.library.books).begin_text

    def break_on_the_first(books: object, book_id: int, summary: object) -> None:
        if book_id == 1:
            raise ZeroDivisionError
        begin_text(books, book_id, summary)

    monkeypatch.setattr(type(site.library.books), "begin_text", break_on_the_first)
    async with site.running() as runner:
        jobs = await runner.wait(await runner.add(paths))
    assert [job.state for job in jobs] == [JobState.FAILED, JobState.DONE]
    assert "ZeroDivisionError" in (jobs[0].error or "")


async def test_what_lacks_embeddings_is_embedded_when_asked_for(site: Site, tmp_path: Path) -> None:
    """As after the model was fetched, which was not there when the books came in."""
    async with site.running() as runner:
        (job,) = await runner.wait(await runner.add([write_novel(tmp_path / "a.txt", seed=1)]))
        assert await runner.embed_missing() == []
        site.library.books.set_status(job.book_id or 0, BookStatus.SEARCHABLE)
        book_id = job.book_id or 0
        other = EmbeddingFingerprint("other", "1", 384, "mean", True, "", "")
        site.library.embeddings.register(other)
        site.library.embeddings.discard_others(other)
        jobs = await runner.wait(await runner.embed_missing())
        assert [(one.state, one.book_id) for one in jobs] == [(JobState.DONE, book_id)]
        book = site.library.books.get(book_id)
        assert book.status is BookStatus.READY
        assert book.embedded_count == book.chunk_count
    with pytest.raises(CancelledByReaderError):
        await runner.embed_missing()
