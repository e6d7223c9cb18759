"""The library pane: the list of books with its order and filter."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup, QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLineEdit,
    QListView,
    QMenu,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.actions import Actions
from app.library.book_delegate import BookDelegate
from app.library.book_model import (
    BookListModel,
    BookOrder,
    BookRole,
    BookRows,
    can_read,
    unfinished,
)
from app.library.covers import Covers
from app.theme import Theme
from app.widgets import Pane, label, pane_bar, tool_button
from core.books import Book, BookId, BookStatus

_ORDER_WORDS = {
    BookOrder.ADDED: "&Recently added",
    BookOrder.TITLE: "By &title",
    BookOrder.AUTHOR: "By &author",
}
_FILTER_PAUSE_MS = 120


class LibraryPane(Pane):
    """The books, one row each.

    Signals:
        bookChosen: id of a book that the reader wants to read.
        orderChanged: the `BookOrder` chosen.
    """

    bookChosen = Signal(int)
    orderChanged = Signal(object)

    def __init__(
        self, model: BookListModel, covers: Covers, actions: Actions, theme: Theme
    ) -> None:
        super().__init__("libraryPane")
        self._model = model
        self._actions = actions
        self._rows = BookRows(model)
        self._build(covers, theme)
        self._orders = self._order_menu()
        actions["sort_books"].triggered.connect(self._drop_orders)
        actions["focus_filter"].triggered.connect(self._focus_filter)
        actions["read_book"].triggered.connect(self._read_current)
        covers.loaded.connect(lambda _: self._list.viewport().update())
        for signal in (model.rowsInserted, model.rowsRemoved, model.modelReset):
            signal.connect(self._count_books)
        model.dataChanged.connect(self._enable_actions)
        self._list.selectionModel().selectionChanged.connect(self._enable_actions)
        self._count_books()

    def selected_books(self) -> list[Book]:
        """Return the books that are selected, in the order shown."""
        indexes = sorted(self._list.selectedIndexes(), key=lambda index: index.row())
        return [index.data(BookRole.BOOK) for index in indexes]

    def select_book(self, book_id: BookId) -> None:
        """Select one book and bring it into sight."""
        row = self._model.row_of(book_id)
        if row is None:
            return
        index = self._rows.mapFromSource(self._model.index(row))
        self._list.selectionModel().setCurrentIndex(
            index, QItemSelectionModel.SelectionFlag.ClearAndSelect
        )
        self._list.scrollTo(index)

    def set_order(self, order: BookOrder) -> None:
        """Sort the list."""
        self._rows.set_order(order)
        self._orders[order].setChecked(True)

    def _build(self, covers: Covers, theme: Theme) -> None:
        title = label("Library")
        title.setObjectName("paneTitle")
        bar = pane_bar(
            title,
            None,
            tool_button(self._actions["sort_books"]),
            tool_button(self._actions["add_books"]),
        )
        self._filter = QLineEdit()
        self._filter.setPlaceholderText("Filter by title or author")
        self._filter.setAccessibleName("Filter the library")
        self._filter.setToolTip(self._actions["focus_filter"].toolTip())
        self._filter.setClearButtonEnabled(True)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_FILTER_PAUSE_MS)
        self._pause.timeout.connect(self._narrow)
        self._filter.textChanged.connect(lambda _: self._pause.start())
        self._list = BookList()
        self.setFocusProxy(self._list)
        self._list.setModel(self._rows)
        self._list.setItemDelegate(BookDelegate(covers, theme, self._list))
        self._list.chosen.connect(self._choose)
        for name in ("remove_books", "read_book"):
            self._actions.leave_to(self._list, name)
        self._list.menuWanted.connect(self._drop_menu)
        self._nothing = label(tone="muted", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._nothing.setContentsMargins(24, 32, 24, 0)
        holder = QWidget()
        self._views = QStackedLayout(holder)
        self._views.addWidget(self._list)
        self._views.addWidget(self._nothing)
        self._count = label(tone="muted")
        self._count.setContentsMargins(16, 8, 16, 10)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        field = QVBoxLayout()
        field.setContentsMargins(12, 0, 12, 8)
        field.addWidget(self._filter)
        column.addLayout(field)
        column.addWidget(holder, 1)
        column.addWidget(self._count)
        self.setMinimumWidth(200)

    def _order_menu(self) -> dict[BookOrder, QAction]:
        self._menu = QMenu(self)
        group = QActionGroup(self)
        made: dict[BookOrder, QAction] = {}
        for order, words in _ORDER_WORDS.items():
            action = self._menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(order is BookOrder.ADDED)
            action.triggered.connect(lambda _=False, order=order: self._choose_order(order))
            group.addAction(action)
            made[order] = action
        return made

    def _choose_order(self, order: BookOrder) -> None:
        self.set_order(order)
        self.orderChanged.emit(order)

    def _drop_orders(self) -> None:
        self._menu.popup(self.mapToGlobal(QPoint(self.width() // 2, 44)))

    def _focus_filter(self) -> None:
        self.show()
        self._filter.setFocus()
        self._filter.selectAll()

    def _narrow(self) -> None:
        self._rows.setFilterFixedString(self._filter.text())
        self._count_books()

    def _choose(self, index: QModelIndex) -> None:
        book: Book = index.data(BookRole.BOOK)
        if can_read(book):
            self.bookChosen.emit(book.id)
        elif book.status is BookStatus.FAILED:
            self._actions["book_details"].trigger()

    def _read_current(self) -> None:
        if self._list.currentIndex().isValid():
            self._choose(self._list.currentIndex())

    def _drop_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in ("read_book", "book_details", "show_source", "retry_book"):
            menu.addAction(self._actions[name])
        menu.addSeparator()
        menu.addAction(self._actions["remove_books"])
        menu.popup(place)

    def _count_books(self) -> None:
        total, shown = self._model.rowCount(), self._rows.rowCount()
        books = "1 book" if total == 1 else f"{total} books"
        self._count.setText(books if shown == total else f"{shown} of {books}")
        self._count.setVisible(total > 0)
        self._nothing.setText(
            "Your books will stand here."
            if total == 0
            else "No book has these words in its title or among its authors."
        )
        self._views.setCurrentIndex(0 if shown else 1)
        self._enable_actions()

    def _enable_actions(self) -> None:
        selected = self.selected_books()
        one = selected[0] if len(selected) == 1 else None
        self._actions["read_book"].setEnabled(one is not None and can_read(one))
        self._actions["book_details"].setEnabled(one is not None)
        self._actions["show_source"].setEnabled(one is not None)
        self._actions["retry_book"].setEnabled(bool(unfinished(selected)))
        self._actions["remove_books"].setEnabled(bool(selected))


class BookList(QListView):
    """The list view: a click reads, a click with Ctrl or Shift selects.

    Signals:
        chosen: index of the book to read.
        menuWanted: where, on the screen.
    """

    chosen = Signal(QModelIndex)
    menuWanted = Signal(QPoint)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Books")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setAcceptDrops(False)
        self.verticalScrollBar().setSingleStep(24)
        self.clicked.connect(self._clicked)

    def sizeHint(self) -> QSize:
        """A column of books."""
        return QSize(280, 600)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter reads the book that has the focus."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex())
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what can be done with the selected books."""
        if self.selectedIndexes():
            self.menuWanted.emit(event.globalPos())

    def _clicked(self, index: QModelIndex) -> None:
        keys = QApplication.keyboardModifiers()
        if not keys & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier):
            self.chosen.emit(index)
