"""The books as a Qt model, and the order and filter over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)

from app.wording import percentage, plain_tip
from core.books import Book, BookId, BookStatus

AnyIndex = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_LEAST_TOLD = 0.01
_ARTICLES = ("the ", "a ", "an ", "der ", "die ", "das ", "le ", "la ", "les ", "el ", "l’", "l'")


class BookRole(IntEnum):
    """What the model tells of a book beyond its title."""

    BOOK = Qt.ItemDataRole.UserRole + 1
    PROGRESS = Qt.ItemDataRole.UserRole + 2
    SORT = Qt.ItemDataRole.UserRole + 3
    FILTER = Qt.ItemDataRole.UserRole + 4


class BookOrder(StrEnum):
    """How the library is sorted."""

    ADDED = "added"
    TITLE = "title"
    AUTHOR = "author"


class BookListModel(QAbstractListModel):
    """One row for each book, oldest first; changes by row, so that a selection stays."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._books: list[Book] = []
        self._rows: dict[BookId, int] = {}
        self._progress: dict[BookId, float] = {}
        self._hidden: set[BookId] = set()
        self._order = BookOrder.ADDED

    def rowCount(self, parent: AnyIndex = _NOWHERE) -> int:
        """Count the books."""
        return 0 if parent.isValid() else len(self._books)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return what a role asks of the book in a row."""
        book = self._books[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return book.title
            case BookRole.BOOK:
                return book
            case BookRole.PROGRESS:
                return self._progress.get(book.id)
            case BookRole.SORT:
                return self._sort_key(book)
            case BookRole.FILTER:
                return f"{book.title} {book.author} {book.source_name}"
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tip(book.error or f"{book.title}\n{book.author}".strip())
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{book.title}, {book.author}, {status_words(book)}"
        return None

    def set_books(self, books: Iterable[Book]) -> None:
        """Show these books: all rows anew where the first come in, else only what changed."""
        wanted = {book.id: book for book in books if book.id not in self._hidden}
        if not self._books:
            self.beginResetModel()
            self._books = list(wanted.values())
            self._number_rows()
            self.endResetModel()
            return
        gone: dict[BookId, Book | None] = {id_: None for id_ in self._rows if id_ not in wanted}
        self.update_books({**gone, **wanted})

    def update_books(self, changes: Mapping[BookId, Book | None]) -> None:
        """Take in books as they are now; None stands for one that is gone."""
        for book_id, book in changes.items():
            row = self._rows.get(book_id)
            if book is None:
                self._hidden.discard(book_id)
                if row is not None:
                    self._remove_row(row)
            elif book_id in self._hidden:
                continue
            elif row is None:
                self._append(book)
            elif self._books[row] != book:
                self._books[row] = book
                self._tell_changed(row)

    def hide(self, book_ids: Iterable[BookId]) -> None:
        """Show these no more, whatever becomes of them, until `show_again`."""
        for book_id in book_ids:
            self._hidden.add(book_id)
            row = self._rows.get(book_id)
            if row is not None:
                self._remove_row(row)

    def show_again(self, books: Mapping[BookId, Book]) -> None:
        """Show books that were hidden, as they are now."""
        self._hidden -= books.keys()
        self.update_books(books)

    def is_hidden(self, book_id: BookId) -> bool:
        """Say whether a book is kept out of sight."""
        return book_id in self._hidden

    def set_progress(self, book_id: BookId, fraction: float | None) -> None:
        """Show how far a book is embedded, 0 to 1; None when that is over."""
        if fraction is None:
            if self._progress.pop(book_id, None) is None:
                return
        else:
            self._progress[book_id] = fraction
        row = self._rows.get(book_id)
        if row is not None:
            index = self.index(row)
            self.dataChanged.emit(index, index, [BookRole.PROGRESS])

    def set_order(self, order: BookOrder) -> None:
        """Choose what the sort role tells."""
        self._order = order

    def book(self, book_id: BookId) -> Book | None:
        """Return a book that is shown."""
        row = self._rows.get(book_id)
        return None if row is None else self._books[row]

    def row_of(self, book_id: BookId) -> int | None:
        """Return the row of a book."""
        return self._rows.get(book_id)

    def books(self) -> list[Book]:
        """Return all books, oldest first."""
        return list(self._books)

    def _append(self, book: Book) -> None:
        row = len(self._books)
        self.beginInsertRows(_NOWHERE, row, row)
        self._books.append(book)
        self._rows[book.id] = row
        self.endInsertRows()

    def _remove_row(self, row: int) -> None:
        self.beginRemoveRows(_NOWHERE, row, row)
        self._progress.pop(self._books[row].id, None)
        del self._books[row]
        self._number_rows()
        self.endRemoveRows()

    def _number_rows(self) -> None:
        self._rows = {book.id: row for row, book in enumerate(self._books)}

    def _tell_changed(self, row: int) -> None:
        index = self.index(row)
        self.dataChanged.emit(index, index)

    def _sort_key(self, book: Book) -> str:
        match self._order:
            case BookOrder.TITLE:
                return _title_key(book.title)
            case BookOrder.AUTHOR:
                first = book.metadata.authors[0] if book.metadata.authors else "\uffff"
                return f"{first.split()[-1].casefold()} {_title_key(book.title)}"
            case BookOrder.ADDED:
                # The newest first: ids grow, so their complement sorts backwards.
                return f"{2**53 - book.id:020d}"


class BookRows(QSortFilterProxyModel):
    """The rows in the reader's order, without those the filter leaves out."""

    def __init__(self, source: BookListModel) -> None:
        super().__init__(source)
        self._source = source
        self.setSourceModel(source)
        self.setSortRole(BookRole.SORT)
        self.setFilterRole(BookRole.FILTER)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setDynamicSortFilter(True)
        self.sort(0)

    def set_order(self, order: BookOrder) -> None:
        """Sort by what the reader chose."""
        self._source.set_order(order)
        self.invalidate()


def status_words(book: Book) -> str:
    """Say how far a book has come; "" where there is nothing to say."""
    match book.status:
        case BookStatus.QUEUED:
            return "Waiting its turn"
        case BookStatus.PARSING:
            return "Reading the text"
        case BookStatus.SEARCHABLE:
            return "Ready to read and search by words"
        case BookStatus.FAILED:
            return "Could not be read in"
        case BookStatus.CANCELLED:
            return "Cancelled before it was complete"
        case BookStatus.READY:
            read = book.reading_offset / max(book.character_count, 1)
            return f"{percentage(read)} read" if read >= _LEAST_TOLD else ""


def can_read(book: Book) -> bool:
    """Say whether a book's text is there."""
    return book.status in (BookStatus.SEARCHABLE, BookStatus.READY) or (
        book.status is BookStatus.CANCELLED and book.block_count > 0
    )


def unfinished(books: Iterable[Book]) -> list[Book]:
    """Return the books that could be read in again."""
    return [book for book in books if book.status in (BookStatus.FAILED, BookStatus.CANCELLED)]


def _title_key(title: str) -> str:
    folded = title.casefold()
    for article in _ARTICLES:
        if folded.startswith(article):
            return folded.removeprefix(article)
    return folded
