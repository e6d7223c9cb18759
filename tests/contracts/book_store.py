"""What every BookStore must do."""

from __future__ import annotations

import random

import pytest

from core.books import BookStatus, IdRange
from core.errors import NotFoundError, StorageError
from core.ports import BookStore
from core.scope import BookScope, ResolvedScope, Scope
from core.text import Chapter, Span
from support.stored_books import (
    chunk_each,
    paragraphs,
    parent_chunks,
    store_book,
    summary,
)

TEXTS = ["Call me Ishmael.", "Some years", "鲸鱼 🐳 é", "x", "no money"]
TEXT = "\n".join(TEXTS)


class BookStoreContract:
    """Inherit, and give a fixture `books`: an empty store."""

    def test_the_same_content_is_one_book(self, books: BookStore) -> None:
        first, made = books.add("hash", "a.txt", "A", "txt")
        again, made_again = books.add("hash", "b.txt", "B", "txt")
        assert (made, made_again) == (True, False)
        assert again == first
        assert books.all() == [first]

    def test_a_new_book_is_queued_and_empty(self, books: BookStore) -> None:
        book, _ = books.add("hash", "a.txt", "A", "txt")
        assert book.status is BookStatus.QUEUED
        assert books.text(book.id) == ""
        assert books.text(book.id, Span(0, 5)) == ""
        assert books.chunk_range(book.id) is None
        assert books.resolve(Scope.book(book.id)) == ResolvedScope((), ())

    def test_unknown_ids_are_not_found(self, books: BookStore) -> None:
        calls = [
            lambda: books.get(7),
            lambda: books.text(7),
            lambda: books.blocks(7),
            lambda: books.chapters(7),
            lambda: books.contents([7]),
            lambda: books.slices([(7, Span(0, 1))]),
            lambda: books.chunk_range(7),
            lambda: books.chunk_texts([7]),
            lambda: books.resolve(Scope.book(7)),
            lambda: books.set_status(7, BookStatus.READY),
            lambda: books.set_reading_offset(7, 1),
            lambda: books.append_blocks(7, paragraphs(["a"])),
            lambda: books.finish_text(7),
            lambda: books.remove(7),
        ]
        for call in calls:
            with pytest.raises(NotFoundError):
                call()
        assert books.chunks([7]) == []

    def test_a_stored_book_has_what_was_announced(self, books: BookStore) -> None:
        book = store_book(books, TEXTS, "Moby-Dick")
        assert book.status is BookStatus.SEARCHABLE
        assert book.title == "Moby-Dick"
        assert book.metadata.authors == ("A. Writer", "B. Writer")
        assert book.metadata.subjects == ("Whales",)
        assert (book.character_count, book.block_count, book.chunk_count) == (len(TEXT), 5, 5)
        assert (book.encoding, book.warnings) == ("utf-8", ("a small thing",))
        assert book.added_at.tzinfo is not None
        assert books.all() == [book]

    def test_text_and_blocks_come_back(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        assert books.text(book.id) == TEXT
        assert books.blocks(book.id) == paragraphs(TEXTS)

    def test_every_slice_is_exact(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        placed = paragraphs(TEXTS)
        for start in range(len(TEXT) + 2):
            for end in range(start, len(TEXT) + 3):
                span = Span(start, end)
                assert books.text(book.id, span) == TEXT[start:end], span
        for _ in range(100):
            span = Span(*sorted(random.choices(range(len(TEXT) + 3), k=2)))
            overlapping = [block for block in placed if block.span.overlaps(span)]
            assert books.blocks(book.id, span) == overlapping, span

    def test_slices_come_in_the_order_asked_for(self, books: BookStore) -> None:
        first, second = store_book(books, TEXTS, "1"), store_book(books, ["other"], "2")
        places = [(second.id, Span(1, 9)), (first.id, Span(5, 20)), (second.id, Span(0, 0))]
        assert books.slices(places) == ["ther", TEXT[5:20], ""]
        with pytest.raises(NotFoundError):
            books.slices([(99, Span(0, 1))])

    def test_more_than_was_announced_is_refused(self, books: BookStore) -> None:
        placed = paragraphs(TEXTS)
        book, _ = books.add("hash", "a.txt", "A", "txt")
        books.begin_text(book.id, summary(placed[:3]))
        books.append_parents(book.id, parent_chunks(placed[:3], "A"))
        with pytest.raises(ValueError, match="3 were announced"):
            books.append_chunks(book.id, chunk_each(placed))
        with pytest.raises(ValueError, match="1 were announced"):
            books.append_parents(book.id, parent_chunks(placed, "A"))

    def test_the_same_batch_twice_is_refused(self, books: BookStore) -> None:
        placed = paragraphs(TEXTS)
        book, _ = books.add("hash", "a.txt", "A", "txt")
        books.begin_text(book.id, summary(placed))
        books.append_blocks(book.id, placed)
        with pytest.raises(StorageError):
            books.append_blocks(book.id, placed)

    def test_a_name_that_is_no_unicode_is_made_readable(self, books: BookStore) -> None:
        book, _ = books.add("hash", "caf\udce9.txt", "caf\udce9", "txt")
        assert (book.source_name, book.title) == ("caf\ufffd.txt", "caf\ufffd")

    def test_contents_follow_a_text_that_is_read_anew(self, books: BookStore) -> None:
        first, second = (
            store_book(books, TEXTS, title, chapters=(Chapter(0, title, 1, 0),))
            for title in ("First", "Second")
        )
        read = books.contents([second.id, first.id])
        assert {id_: contents.title for id_, contents in read.items()} == {
            first.id: "First",
            second.id: "Second",
        }
        assert read[first.id].chapters == (Chapter(0, "First", 1, 0),)
        store_book(books, TEXTS, "First", chapters=(Chapter(0, "Anew", 1, 3),))
        assert books.contents([first.id])[first.id].chapters == (Chapter(0, "Anew", 1, 3),)
        assert books.contents([]) == {}

    def test_chapters_come_back(self, books: BookStore) -> None:
        book, _ = books.add("hash", "a.txt", "A", "txt")
        chapters = (Chapter(0, "One", 1, 0), Chapter(1, "Two", 2, 17))
        books.begin_text(book.id, summary(paragraphs(TEXTS), chapters=chapters))
        assert books.chapters(book.id) == list(chapters)

    def test_chunks_are_slices_in_the_order_asked_for(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        ids = books.chunk_range(book.id)
        assert ids is not None
        backwards = list(range(ids.last, ids.first - 1, -1))
        assert books.chunk_texts(backwards) == TEXTS[::-1]
        assert books.chunk_texts([ids.first, ids.first]) == TEXTS[:1] * 2
        chunks = books.chunks([ids.last + 50, *backwards])
        assert [chunk.id for chunk in chunks] == backwards
        assert books.text(book.id, chunks[0].span) == TEXTS[-1]

    def test_chunks_of_parents_are_those_that_lie_in_them(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        ids = books.chunk_range(book.id)
        assert ids is not None
        parent_id = books.chunks([ids.first])[0].parent_id
        inside = books.chunks_of_parents([parent_id])
        assert [chunk.id for chunk in inside] == [ids.first, ids.first + 1, ids.first + 2]

    def test_a_chunk_may_cross_blocks(self, books: BookStore) -> None:
        placed = paragraphs(TEXTS)
        book, _ = books.add("hash", "a.txt", "A", "txt")
        books.begin_text(book.id, summary(placed, chunk_count=1))
        books.append_blocks(book.id, placed)
        books.append_parents(book.id, parent_chunks(placed, "A"))
        (chunk, *_) = chunk_each(placed)
        across = type(chunk)(0, Span(5, len(TEXT) - 3), 0, "")
        books.append_chunks(book.id, [across])
        books.finish_text(book.id)
        ids = books.chunk_range(book.id)
        assert ids == IdRange(ids.first, ids.first)
        assert books.chunk_texts([ids.first]) == [TEXT[5:-3]]

    def test_a_text_that_is_not_whole_is_refused(self, books: BookStore) -> None:
        placed = paragraphs(TEXTS)
        book, _ = books.add("hash", "a.txt", "A", "txt")
        books.begin_text(book.id, summary(placed))
        books.append_blocks(book.id, placed[:3])
        with pytest.raises(StorageError, match="not stored whole"):
            books.finish_text(book.id)
        assert books.get(book.id).status is BookStatus.PARSING

    def test_storing_again_replaces_and_takes_new_ids(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        before = books.chunk_range(book.id)
        again = store_book(books, TEXTS)
        after = books.chunk_range(book.id)
        assert again.id == book.id
        assert books.text(book.id) == TEXT
        assert before is not None
        assert after is not None
        assert after.first > before.last
        assert books.chunks(list(range(before.first, before.last + 1))) == []

    def test_ids_are_never_used_again(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        ids = books.chunk_range(book.id)
        assert books.remove(book.id) == book
        other = store_book(books, TEXTS, "Another")
        other_ids = books.chunk_range(other.id)
        assert ids is not None
        assert other_ids is not None
        assert other.id > book.id
        assert other_ids.first > ids.last

    def test_a_removed_book_is_gone_and_others_stay(self, books: BookStore) -> None:
        kept = store_book(books, TEXTS, "Kept")
        gone = store_book(books, TEXTS, "Gone")
        books.remove(gone.id)
        assert books.all() == [kept]
        assert books.text(kept.id) == TEXT
        with pytest.raises(NotFoundError):
            books.get(gone.id)

    def test_status_and_reading_place_are_kept(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        books.set_status(book.id, BookStatus.FAILED, "It broke.")
        books.set_reading_offset(book.id, 12)
        stored = books.get(book.id)
        assert (stored.status, stored.error) == (BookStatus.FAILED, "It broke.")
        assert stored.reading_offset == 12
        books.set_status(book.id, BookStatus.READY)
        assert books.get(book.id).error is None

    def test_a_scope_ends_at_its_boundary(self, books: BookStore) -> None:
        book = store_book(books, TEXTS)
        placed = paragraphs(TEXTS)
        ids = books.chunk_range(book.id)
        assert ids is not None
        for up_to in range(len(TEXT) + 2):
            resolved = books.resolve(Scope.book(book.id, up_to))
            whole = [block for block in placed if block.end <= up_to]
            expected = (IdRange(ids.first, ids.first + len(whole) - 1),) if whole else ()
            assert resolved.chunks == expected
            parents_read = (len(whole) // 3) + (len(whole) == len(placed))
            assert sum(r.last - r.first + 1 for r in resolved.parents or ()) == parents_read

    def test_what_is_stored_later_does_not_slip_past_a_boundary(self, books: BookStore) -> None:
        book, _ = books.add("hash", "a.txt", "A", "txt")
        placed = paragraphs(TEXTS)
        scope = Scope.book(book.id, placed[1].end)
        books.begin_text(book.id, summary(placed))
        assert books.resolve(scope) == ResolvedScope((), ())
        books.append_chunks(book.id, chunk_each(placed)[:1])
        stored = books.chunk_range(book.id)
        assert stored is not None
        assert books.resolve(scope).chunks == (IdRange(stored.first, stored.first),)
        books.append_chunks(book.id, chunk_each(placed)[1:])
        assert books.resolve(scope).chunks == (IdRange(stored.first, stored.first + 1),)

    def test_a_scope_of_neighbours_is_one_range(self, books: BookStore) -> None:
        first = store_book(books, TEXTS, "1")
        second = store_book(books, TEXTS, "2")
        third = store_book(books, TEXTS, "3")
        both = books.resolve(Scope((BookScope(second.id), BookScope(first.id))))
        apart = books.resolve(Scope((BookScope(first.id), BookScope(third.id))))
        assert both.chunks is not None
        assert apart.chunks is not None
        assert (len(both.chunks), len(apart.chunks)) == (1, 2)
        assert books.resolve(Scope.library()) == ResolvedScope(None, None)

    def test_languages_come_most_common_first(self, books: BookStore) -> None:
        book = store_book(books, TEXTS, "1")
        store_book(books, TEXTS, "2")
        other, _ = books.add("hash", "a.txt", "A", "txt")
        assert books.languages(Scope.library()) == ["en", "und"]
        assert books.languages(Scope.book(other.id)) == ["und"]
        assert books.languages(Scope.book(book.id)) == ["en"]
