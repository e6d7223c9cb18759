"""What every JobStore must do."""

from __future__ import annotations

import pytest

from core.errors import NotFoundError
from core.jobs import JobState
from core.ports import BookStore, JobStore

NEVER_STALE_S = 1e6
# Owners on other hosts: nobody can look whether their process still lives.
ALICE, BOB = "far-host:1:1.0", "far-host:2:1.0"


class JobStoreContract:
    """Inherit, and give fixtures `books` and `jobs`, empty, of one library."""

    def test_a_new_job_is_queued_and_nobodys(self, jobs: JobStore) -> None:
        job = jobs.create("/books/a.txt", None)
        assert (job.state, job.owner, job.paused) == (JobState.QUEUED, None, False)
        assert job.started_at is None
        assert jobs.get(job.id) == job
        assert jobs.all() == [job]

    def test_the_oldest_free_job_is_taken(self, jobs: JobStore) -> None:
        first, second = jobs.create("a", None), jobs.create("b", None)
        taken = [jobs.claim_next(ALICE, NEVER_STALE_S), jobs.claim_next(BOB, NEVER_STALE_S)]
        assert [job and (job.id, job.owner) for job in taken] == [
            (first.id, ALICE),
            (second.id, BOB),
        ]
        assert jobs.claim_next(BOB, NEVER_STALE_S) is None

    def test_a_job_made_with_an_owner_is_taken(self, jobs: JobStore) -> None:
        jobs.create("a", None, owner=ALICE)
        assert jobs.claim_next(BOB, NEVER_STALE_S) is None

    def test_paused_and_final_jobs_are_left(self, jobs: JobStore) -> None:
        paused, done = jobs.create("a", None), jobs.create("b", None)
        assert jobs.set_paused(paused.id, True).paused
        jobs.set_state(done.id, JobState.DONE)
        assert jobs.claim_next(ALICE, NEVER_STALE_S) is None
        jobs.set_paused(paused.id, False)
        taken = jobs.claim_next(ALICE, NEVER_STALE_S)
        assert taken is not None
        assert taken.id == paused.id

    def test_a_silent_owner_loses_its_job(self, jobs: JobStore) -> None:
        job = jobs.create("a", None, owner=ALICE)
        jobs.set_state(job.id, JobState.EMBEDDING)
        taken = jobs.claim_next(BOB, stale_after_s=0.0)
        assert taken is not None
        assert (taken.owner, taken.state) == (BOB, JobState.EMBEDDING)
        # The old owner comes back, and learns that the job is no longer its own.
        assert jobs.heartbeat(job.id, ALICE).owner == BOB

    def test_only_the_owner_moves_a_job_on(self, jobs: JobStore) -> None:
        job = jobs.create("a", None, owner=ALICE)
        taken = jobs.claim_next(BOB, stale_after_s=0.0)
        assert taken is not None
        # The old owner was asleep, and goes on as if nothing had happened.
        assert jobs.set_state(job.id, JobState.FAILED, owner=ALICE, error="Gone.") == taken
        assert jobs.set_progress(job.id, 7, 10, owner=ALICE) == taken
        assert jobs.get(job.id) == taken
        assert jobs.set_state(job.id, JobState.EMBEDDING, owner=BOB).state is JobState.EMBEDDING
        assert jobs.set_progress(job.id, 7, 10, owner=BOB).done_characters == 7
        # The reader's word goes before any owner's.
        assert jobs.set_state(job.id, JobState.CANCELLED).state is JobState.CANCELLED

    def test_a_heartbeat_keeps_a_job(self, jobs: JobStore) -> None:
        job = jobs.create("a", None, owner=ALICE)
        later = jobs.heartbeat(job.id, ALICE)
        assert job.heartbeat_at is not None
        assert later.heartbeat_at is not None
        assert later.heartbeat_at > job.heartbeat_at
        assert jobs.claim_next(BOB, stale_after_s=60.0) is None

    def test_a_closing_owner_gives_its_jobs_up(self, jobs: JobStore) -> None:
        job = jobs.create("a", None, owner=ALICE)
        jobs.set_state(job.id, JobState.EMBEDDING)
        jobs.release(ALICE)
        assert jobs.get(job.id).owner is None
        assert jobs.get(job.id).state is JobState.EMBEDDING
        assert jobs.claim_next(BOB, NEVER_STALE_S) is not None

    def test_a_final_job_stays_as_it_is(self, jobs: JobStore) -> None:
        job = jobs.create("a", None, owner=ALICE)
        failed = jobs.set_state(
            job.id, JobState.FAILED, error="Not a book.", error_kind="UnknownFormatError"
        )
        assert (failed.error, failed.error_kind) == ("Not a book.", "UnknownFormatError")
        assert failed.owner is None
        assert failed.finished_at is not None
        assert jobs.set_state(job.id, JobState.DONE) == failed
        assert jobs.heartbeat(job.id, ALICE) == failed

    def test_times_tell_what_happened(self, jobs: JobStore) -> None:
        job = jobs.create("a", None)
        started = jobs.set_state(job.id, JobState.PARSING)
        later = jobs.set_state(job.id, JobState.EMBEDDING)
        assert started.started_at is not None
        assert later.started_at == started.started_at
        assert later.finished_at is None

    def test_progress_and_book_are_kept(self, books: BookStore, jobs: JobStore) -> None:
        book, _ = books.add("hash", "a.txt", "A", "txt")
        job = jobs.create("a", None, owner=ALICE)
        jobs.set_book(job.id, book.id)
        jobs.set_progress(job.id, 10, 100, owner=ALICE)
        stored = jobs.get(job.id)
        assert (stored.book_id, stored.done_characters, stored.total_characters) == (
            book.id,
            10,
            100,
        )

    def test_a_job_of_no_book_is_refused(self, jobs: JobStore) -> None:
        job = jobs.create("a", None)
        with pytest.raises(NotFoundError, match="no book 7"):
            jobs.create("a", 7)
        with pytest.raises(NotFoundError, match="no book 7"):
            jobs.set_book(job.id, 7)

    @pytest.mark.parametrize("path", ["/b/caf\udce9.txt", "/b/鲸\udcff 🐳", "/b/é.txt", ""])
    def test_any_path_comes_back(self, jobs: JobStore, path: str) -> None:
        assert jobs.get(jobs.create(path, None).id).source_path == path

    def test_active_jobs_are_those_not_final(self, jobs: JobStore) -> None:
        done, running = jobs.create("a", None), jobs.create("b", None)
        jobs.set_state(done.id, JobState.CANCELLED)
        assert jobs.all(active_only=True) == [running]
        assert [job.id for job in jobs.all()] == [done.id, running.id]

    def test_removing_a_book_removes_its_jobs(self, books: BookStore, jobs: JobStore) -> None:
        book, _ = books.add("hash", "a.txt", "A", "txt")
        job = jobs.create("a", book.id)
        books.remove(book.id)
        with pytest.raises(NotFoundError):
            jobs.get(job.id)

    def test_unknown_ids_are_not_found(self, jobs: JobStore) -> None:
        calls = [
            lambda: jobs.get(7),
            lambda: jobs.heartbeat(7, ALICE),
            lambda: jobs.set_state(7, JobState.DONE),
            lambda: jobs.set_progress(7, 1, 1, owner=ALICE),
            lambda: jobs.set_paused(7, True),
        ]
        for call in calls:
            with pytest.raises(NotFoundError):
                call()
