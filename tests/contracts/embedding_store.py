"""What every EmbeddingStore must do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.books import BookId, BookStatus, IdRange
from core.embeddings import EmbeddingFingerprint
from core.errors import JobLostError, NotFoundError
from core.jobs import JobHold, JobState
from core.ports import BookStore, EmbeddingStore, JobStore, StoredVectors
from support.stored_books import store_book

FINGERPRINT = EmbeddingFingerprint("model", "1", 4, "mean", True, "", "chunker/1")
OTHER = replace(FINGERPRINT, revision="2")
TEXTS = [f"paragraph {n}" for n in range(7)]


def vectors(ids: list[int], value: float = 0.5) -> StoredVectors:
    rows = np.full((len(ids), 4), value, np.dtype("<f2"))
    rows[:, 0] = np.array(ids) % 2048
    return StoredVectors(ids, rows.tobytes())


class EmbeddingStoreContract:
    """Inherit, and give fixtures `books`, `embeddings` and `jobs`, empty, of one library."""

    def ids(self, books: BookStore, book_id: BookId) -> list[int]:
        ids = books.chunk_range(book_id)
        assert ids is not None
        return list(range(ids.first, ids.last + 1))

    def test_an_unknown_fingerprint_is_not_found(self, embeddings: EmbeddingStore) -> None:
        for call in (embeddings.generation, embeddings.count, embeddings.ids):
            with pytest.raises(NotFoundError):
                call(FINGERPRINT)
        embeddings.register(FINGERPRINT)
        embeddings.register(FINGERPRINT)
        assert embeddings.count(FINGERPRINT) == 0
        assert list(embeddings.read(FINGERPRINT)) == []

    def test_what_is_pending_shrinks(self, books: BookStore, embeddings: EmbeddingStore) -> None:
        book = store_book(books, TEXTS)
        embeddings.register(FINGERPRINT)
        ids = self.ids(books, book.id)
        assert embeddings.pending(FINGERPRINT, book.id, 3) == ids[:3]
        embeddings.append(FINGERPRINT, vectors(ids[1:3]))
        assert embeddings.pending(FINGERPRINT, book.id, 3) == [ids[0], *ids[3:5]]
        assert books.get(book.id).embedded_count == 2

    def test_rows_come_back_by_ascending_id(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        embeddings.register(FINGERPRINT)
        embeddings.append(FINGERPRINT, vectors(ids[4:]))
        embeddings.append(FINGERPRINT, vectors(ids[:4]))
        read = list(embeddings.read(FINGERPRINT, batch=3))
        assert [batch.ids for batch in read] == [ids[:3], ids[3:6], ids[6:]]
        assert b"".join(batch.rows for batch in read) == vectors(ids).rows
        assert embeddings.ids(FINGERPRINT) == ids
        (inside,) = embeddings.read(FINGERPRINT, within=IdRange(ids[2], ids[3]))
        assert inside == vectors(ids[2:4])

    def test_ids_that_are_gone_are_left_out(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        embeddings.register(FINGERPRINT)
        embeddings.append(FINGERPRINT, vectors([ids[0], ids[-1] + 9]))
        assert embeddings.ids(FINGERPRINT) == ids[:1]

    def test_an_embedding_is_replaced(self, books: BookStore, embeddings: EmbeddingStore) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        embeddings.register(FINGERPRINT)
        embeddings.append(FINGERPRINT, vectors(ids))
        embeddings.append(FINGERPRINT, vectors(ids[:1], value=0.25))
        assert embeddings.count(FINGERPRINT) == len(ids)
        (read,) = embeddings.read(FINGERPRINT, within=IdRange(ids[0], ids[0]))
        assert read == vectors(ids[:1], value=0.25)

    def test_rows_of_another_size_are_refused(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        embeddings.register(FINGERPRINT)
        with pytest.raises(ValueError, match="bytes"):
            embeddings.append(FINGERPRINT, StoredVectors(ids, b"too short"))

    def test_who_lost_the_job_stores_nothing(
        self, books: BookStore, embeddings: EmbeddingStore, jobs: JobStore
    ) -> None:
        book = store_book(books, TEXTS)
        ids = self.ids(books, book.id)
        embeddings.register(FINGERPRINT)
        job = jobs.create("a.txt", book.id, owner="first")
        first, second = (JobHold(job.id, owner) for owner in ("first", "second"))
        embeddings.append(FINGERPRINT, vectors(ids[:2]), first)
        jobs.release("first")
        assert jobs.claim_next("second", 60.0) is not None
        before = embeddings.generation(FINGERPRINT)
        with pytest.raises(JobLostError):
            embeddings.append(FINGERPRINT, vectors(ids[2:4]), first)
        assert embeddings.generation(FINGERPRINT) == before
        embeddings.append(FINGERPRINT, vectors(ids[2:3]), second)
        jobs.set_state(job.id, JobState.CANCELLED)
        with pytest.raises(JobLostError):
            embeddings.append(FINGERPRINT, vectors(ids[3:4]), second)
        assert embeddings.ids(FINGERPRINT) == ids[:3]

    def test_the_generation_grows_with_every_change(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        book = store_book(books, TEXTS)
        ids = self.ids(books, book.id)
        for fingerprint in (FINGERPRINT, OTHER):
            embeddings.register(fingerprint)
        first = embeddings.append(FINGERPRINT, vectors(ids[:2]))
        second = embeddings.append(FINGERPRINT, vectors(ids[2:]))
        assert embeddings.generation(FINGERPRINT) == second > first
        assert embeddings.generation(OTHER) == 0
        books.remove(book.id)
        assert embeddings.generation(FINGERPRINT) > second
        assert embeddings.generation(OTHER) == 0
        assert embeddings.count(FINGERPRINT) == 0

    def test_storing_a_text_again_drops_its_embeddings(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        book = store_book(books, TEXTS)
        embeddings.register(FINGERPRINT)
        before = embeddings.append(FINGERPRINT, vectors(self.ids(books, book.id)))
        store_book(books, TEXTS)
        assert embeddings.count(FINGERPRINT) == 0
        assert embeddings.generation(FINGERPRINT) > before
        assert books.get(book.id).embedded_count == 0

    def test_a_book_is_ready_when_marked(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        book = store_book(books, TEXTS)
        embeddings.register(FINGERPRINT)
        embeddings.append(FINGERPRINT, vectors(self.ids(books, book.id)))
        embeddings.mark_embedded(FINGERPRINT, book.id)
        stored = books.get(book.id)
        assert stored.status is BookStatus.READY
        assert stored.embedded_count == len(TEXTS)

    def test_fingerprints_do_not_mix(self, books: BookStore, embeddings: EmbeddingStore) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        for fingerprint in (FINGERPRINT, OTHER):
            embeddings.register(fingerprint)
        embeddings.append(FINGERPRINT, vectors(ids[:2]))
        embeddings.append(OTHER, vectors(ids[1:4]))
        assert embeddings.ids(FINGERPRINT) == ids[:2]
        assert embeddings.ids(OTHER) == ids[1:4]

    def test_after_a_change_of_model_the_other_embeddings_go(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        kept, old, half = (store_book(books, TEXTS, title) for title in ("kept", "old", "half"))
        for fingerprint in (FINGERPRINT, OTHER):
            embeddings.register(fingerprint)
        for book in (kept, old):
            embeddings.append(OTHER, vectors(self.ids(books, book.id)))
            embeddings.mark_embedded(OTHER, book.id)
        for book in (kept, half):
            before = embeddings.append(FINGERPRINT, vectors(self.ids(books, book.id)[:5]))
        embeddings.mark_embedded(FINGERPRINT, kept.id)
        embeddings.append(OTHER, vectors(self.ids(books, half.id)))
        generation = embeddings.generation(OTHER)

        embeddings.discard_others(FINGERPRINT)

        assert embeddings.ids(OTHER) == []
        assert embeddings.generation(OTHER) > generation
        assert embeddings.count(FINGERPRINT) == 10
        assert embeddings.generation(FINGERPRINT) == before
        found = {book.metadata.title: (book.status, book.embedded_count) for book in books.all()}
        assert found == {
            "kept": (BookStatus.READY, 5),
            "old": (BookStatus.SEARCHABLE, 0),
            "half": (BookStatus.SEARCHABLE, 5),
        }
        embeddings.discard_others(FINGERPRINT)
        assert embeddings.count(FINGERPRINT) == 10

    def test_nothing_is_discarded_for_an_unknown_fingerprint(
        self, books: BookStore, embeddings: EmbeddingStore
    ) -> None:
        ids = self.ids(books, store_book(books, TEXTS).id)
        embeddings.register(OTHER)
        embeddings.append(OTHER, vectors(ids))
        with pytest.raises(NotFoundError):
            embeddings.discard_others(FINGERPRINT)
        assert embeddings.ids(OTHER) == ids
