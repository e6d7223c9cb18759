from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtTest import QAbstractItemModelTester

from app.library.book_model import BookListModel, BookOrder, BookRole, BookRows, status_words
from core.books import Book, BookStatus
from core.text import BookMetadata


def book(number: int, title: str, author: str = "", **fields: Any) -> Book:
    status = fields.pop("status", BookStatus.READY)
    return Book(
        id=number,
        content_hash=str(number),
        metadata=BookMetadata(title, (author,) if author else ()),
        format="epub",
        status=status,
        source_name=f"{number}.epub",
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    )


BOOKS = [
    book(1, "The Time Machine", "H. G. Wells"),
    book(2, "Persuasion", "Jane Austen"),
    book(3, "A Room of One's Own", "Virginia Woolf"),
    book(4, "Beowulf"),
]


@pytest.fixture
def model(application: object) -> BookListModel:
    model = BookListModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.set_books(BOOKS)
    return model


def titles(rows: QAbstractItemModel) -> list[str]:
    return [rows.index(row, 0).data() for row in range(rows.rowCount())]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (BookOrder.ADDED, ["Beowulf", "A Room of One's Own", "Persuasion", "The Time Machine"]),
        (BookOrder.TITLE, ["Beowulf", "Persuasion", "A Room of One's Own", "The Time Machine"]),
        (BookOrder.AUTHOR, ["Persuasion", "The Time Machine", "A Room of One's Own", "Beowulf"]),
    ],
)
def test_orders(model: BookListModel, order: BookOrder, expected: list[str]) -> None:
    rows = BookRows(model)
    rows.set_order(order)
    assert titles(rows) == expected


def test_the_filter_looks_at_title_and_author_in_any_case(model: BookListModel) -> None:
    rows = BookRows(model)
    rows.setFilterFixedString("AUSTEN")
    assert titles(rows) == ["Persuasion"]
    rows.setFilterFixedString("time")
    assert titles(rows) == ["The Time Machine"]


def test_changes_touch_only_their_rows(model: BookListModel) -> None:
    changed: list[int] = []
    resets: list[None] = []
    model.dataChanged.connect(lambda first, last, _: changed.append(first.row()))
    model.modelReset.connect(lambda: resets.append(None))
    model.update_books(
        {
            1: BOOKS[0],
            2: replace(BOOKS[1], status=BookStatus.FAILED, error="No text."),
            3: None,
            9: book(9, "New"),
            77: None,
        }
    )
    assert changed == [1]
    assert resets == []
    assert [one.id for one in model.books()] == [1, 2, 4, 9]
    assert "No text." in model.index(model.row_of(2) or 0).data(Qt.ItemDataRole.ToolTipRole)


def test_a_title_is_no_mark_up_in_a_tooltip(model: BookListModel) -> None:
    model.update_books({1: book(1, "<img src='http://example.org/x.png'>")})
    tip = model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tip
    assert "&lt;img" in tip


def test_all_books_at_once_keeps_the_rows_that_stay(model: BookListModel) -> None:
    resets: list[None] = []
    model.modelReset.connect(lambda: resets.append(None))
    model.set_books([BOOKS[1], book(5, "Another")])
    assert [one.id for one in model.books()] == [2, 5]
    assert resets == []


def test_progress_comes_and_goes(model: BookListModel) -> None:
    index = model.index(0)
    model.set_progress(1, 0.4)
    assert index.data(BookRole.PROGRESS) == 0.4
    model.set_progress(1, None)
    assert index.data(BookRole.PROGRESS) is None
    model.set_progress(99, 0.5)


def test_a_screen_reader_hears_title_author_and_status(model: BookListModel) -> None:
    model.update_books({1: replace(BOOKS[0], status=BookStatus.PARSING)})
    words = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert words == "The Time Machine, H. G. Wells, Reading the text"


@pytest.mark.parametrize(
    ("offset", "words"), [(0, ""), (50, ""), (4_960, "49% read"), (10_000, "100% read")]
)
def test_what_is_said_of_a_ready_book(offset: int, words: str) -> None:
    assert status_words(book(1, "T", character_count=10_000, reading_offset=offset)) == words
