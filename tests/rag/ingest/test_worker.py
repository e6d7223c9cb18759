"""A worker process that dies, runs wild or outlives its parent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.books import BookStatus
from core.errors import OversizedBookError
from core.events import JobProgressed
from core.jobs import JobState
from rag.embedding import DEFAULT_MODEL
from rag.ingest.limits import IngestLimits
from rag.ingest.messages import BookParsed, TextBegan, TextEnded, TextPart
from rag.ingest.worker_process import WorkerDiedError, WorkerProcess
from support.ingest import Site, contents, open_site, until, write_novel


def workers() -> list[psutil.Process]:
    """Return the worker processes of this one."""
    return [
        child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())
    ]


async def test_a_book_comes_in_small_parts(tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=300)
    worker = WorkerProcess(IngestLimits())
    try:
        replies = [reply async for reply in worker.read_book(path, "a.txt", path.stat().st_size)]
    finally:
        await worker.close()
    assert isinstance(replies[0], BookParsed)
    assert isinstance(replies[1], TextBegan)
    assert isinstance(replies[-1], TextEnded)
    parts = [reply for reply in replies if isinstance(reply, TextPart)]
    summary = replies[1].summary
    for kind, count in (
        ("blocks", summary.block_count),
        ("parents", summary.parent_count),
        ("chunks", summary.chunk_count),
    ):
        sizes = [len(getattr(part, kind)) for part in parts]
        assert max(sizes) <= 100
        assert sum(sizes) == count
    assert not workers()


async def test_a_wild_file_is_stopped_and_the_worker_goes_on(tmp_path: Path) -> None:
    slow = write_novel(tmp_path / "slow.txt", seed=1, paragraphs=20_000)
    quick = write_novel(tmp_path / "quick.txt", seed=2)
    worker = WorkerProcess(IngestLimits(reading_s=0.3, reading_s_per_mib=0))
    try:
        with pytest.raises(OversizedBookError, match="too long"):
            _ = [reply async for reply in worker.read_book(slow, "slow.txt", 1)]
        assert not workers()
        worker._limits = IngestLimits()
        replies = [reply async for reply in worker.read_book(quick, "quick.txt", 1)]
        assert isinstance(replies[-1], TextEnded)
    finally:
        await worker.close()


async def test_an_answer_that_was_broken_off_never_mixes_with_the_next(tmp_path: Path) -> None:
    first = write_novel(tmp_path / "first.txt", seed=1, paragraphs=500)
    second = write_novel(tmp_path / "second.txt", seed=2)
    worker = WorkerProcess(IngestLimits())
    try:
        replies = worker.read_book(first, "first.txt", 1)
        async for reply in replies:
            if isinstance(reply, TextPart):
                break
        await replies.aclose()
        summaries = [
            reply.summary
            async for reply in worker.read_book(second, "second.txt", 1)
            if isinstance(reply, TextBegan)
        ]
    finally:
        await worker.close()
    assert [summary.metadata.title for summary in summaries] == ["second"]


async def test_killing_the_worker_is_told_to_whoever_waits(tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=20_000)
    worker = WorkerProcess(IngestLimits())
    try:
        reading = asyncio.ensure_future(_drain(worker, path))
        await until(lambda: bool(workers()))
        worker.kill()
        with pytest.raises(WorkerDiedError):
            await reading
    finally:
        await worker.close()


async def _drain(worker: WorkerProcess, path: Path) -> None:
    async for _ in worker.read_book(path, path.name, 1):
        pass


def test_the_worker_prints_nothing_and_dies_with_its_parent(tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=20_000)
    script = tmp_path / "parent.py"
    script.write_text(
        f"""
import asyncio, os, signal
from pathlib import Path
from rag.embedding import DEFAULT_MODEL
from rag.ingest.limits import IngestLimits
from rag.ingest.worker_process import WorkerProcess

async def main():
    worker = WorkerProcess(IngestLimits())
    async for reply in worker.read_book(Path({str(path)!r}), "a.txt", 1):
        print(worker._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (pid,) = map(int, done.stdout.split())
    assert done.stderr == ""
    _, alive = psutil.wait_procs(
        [psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10
    )
    assert not alive


@pytest.mark.model
@pytest.mark.expects_logs
async def test_a_job_outlives_its_worker(site: Site, tmp_path: Path) -> None:
    path = write_novel(tmp_path / "a.txt", seed=1, paragraphs=60)
    async with site.running() as runner:
        (job_id,) = await runner.add([path])
        for deaths in (1, 2):
            progressed = len(site.of_kind(JobProgressed))
            await until(lambda so_far=progressed: len(site.of_kind(JobProgressed)) > so_far)
            for worker in workers():
                worker.kill()
            assert site.library.books.get(1).status is BookStatus.SEARCHABLE, deaths
        (job,) = await runner.wait([job_id])
    assert job.state is JobState.DONE
    undisturbed = open_site(tmp_path / "undisturbed")
    try:
        async with undisturbed.running() as runner:
            await runner.wait(await runner.add([path]))
        assert contents(site.library, site.embedder) == contents(
            undisturbed.library, undisturbed.embedder
        )
    finally:
        undisturbed.close()


@pytest.mark.model
@pytest.mark.expects_logs
async def test_a_book_that_always_kills_the_worker_is_given_up(site: Site, tmp_path: Path) -> None:
    deadly = write_novel(tmp_path / "deadly.txt", seed=1, paragraphs=20_000)
    harmless = write_novel(tmp_path / "harmless.txt", seed=2)
    async with site.running() as runner:
        (job_id,) = await runner.add([deadly])
        killing = asyncio.ensure_future(_keep_killing())
        (job,) = await runner.wait([job_id])
        killing.cancel()
        assert (job.state, job.error_kind) == (JobState.FAILED, "DamagedBookError")
        assert "3 times" in (job.error or "")
        (job,) = await runner.wait(await runner.add([harmless]))
    assert job.state is JobState.DONE


async def _keep_killing() -> None:
    while True:
        for worker in workers():
            worker.kill()
        await asyncio.sleep(0.05)


@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness of their own there")
async def test_embedding_gives_way_to_reading_and_both_to_others(
    model_cache: Path,
) -> None:
    worker = WorkerProcess(IngestLimits())
    try:
        assert await worker.load_model(DEFAULT_MODEL, model_cache, lambda: False)
        await worker.send_passages(["A whale.", "A ship."] * 20)
        await worker.receive_vectors()
        (process,) = workers()
        own = os.getpriority(os.PRIO_PROCESS, 0)
        tasks = [thread.id for thread in process.threads()]
        niceness = {task: os.getpriority(os.PRIO_PROCESS, task) - own for task in tasks}
    finally:
        await worker.close()
    assert niceness[process.pid] == 5
    assert list(niceness.values()).count(10) > len(os.sched_getaffinity(0))
