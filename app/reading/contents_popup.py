"""The table of contents, dropped down from the chapter's name, with a filter."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QVBoxLayout, QWidget

from app.wording import plain_tip
from core.text import Chapter

AnyIndex = QModelIndex | QPersistentModelIndex
_INDENT = "\u2003"
_WIDTH_PX = 360
_MAX_HEIGHT_PX = 480
_ROW_PX = 28
_FRAME_PX = 64
_STEPS: dict[int, int] = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_PageUp: -10,
}


class ContentsModel(QAbstractListModel):
    """The chapters of a book, one a row, indented by their depth."""

    def __init__(self, chapters: Sequence[Chapter], parent: QWidget) -> None:
        super().__init__(parent)
        self._chapters = chapters

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        """Count the chapters."""
        return 0 if parent.isValid() else len(self._chapters)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a chapter's title, or the chapter itself."""
        chapter = self._chapters[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _INDENT * (chapter.level - 1) + (chapter.title or "Untitled")
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(chapter.title)
        if role == Qt.ItemDataRole.UserRole:
            return chapter
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, _ROW_PX)
        return None


class ContentsPopup(QFrame):
    """A pop-up list of chapters.

    Signals:
        chosen: the offset that a chapter begins at.
    """

    chosen = Signal(int)

    def __init__(self, chapters: Sequence[Chapter], offset: int, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("popup")
        self._filter = QLineEdit()
        self._filter.setPlaceholderText("Find a chapter")
        self._filter.setAccessibleName("Find a chapter")
        self._list = QListView()
        self._list.setObjectName("contentsList")
        self._list.setAccessibleName("Contents")
        self._list.setUniformItemSizes(True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.setFocusProxy(self._filter)
        self._rows = QSortFilterProxyModel(self)
        self._rows.setSourceModel(ContentsModel(chapters, self))
        self._rows.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._list.setModel(self._rows)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self._filter)
        column.addWidget(self._list)
        wanted = _FRAME_PX + _ROW_PX * len(chapters)
        self.resize(_WIDTH_PX, min(wanted, _MAX_HEIGHT_PX))
        self._filter.textChanged.connect(self._narrow)
        self._filter.returnPressed.connect(lambda: self._choose(self._list.currentIndex()))
        self._list.clicked.connect(self._choose)
        self._select(_row_at(chapters, offset))

    def drop_from(self, widget: QWidget) -> None:
        """Show the list under a widget, ready to type in."""
        self.move(widget.mapToGlobal(QPoint(0, widget.height() + 4)))
        self.show()
        self._filter.setFocus()
        self._list.scrollTo(self._list.currentIndex(), QListView.ScrollHint.PositionAtCenter)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move in the list while the filter has the focus."""
        step = _STEPS.get(event.key())
        if step is None:
            super().keyPressEvent(event)
            return
        row = self._list.currentIndex().row() + step
        self._select(min(max(row, 0), self._rows.rowCount() - 1))

    def _narrow(self, words: str) -> None:
        self._rows.setFilterFixedString(words)
        self._select(0)

    def _select(self, row: int) -> None:
        index = self._rows.index(row, 0)
        self._list.setCurrentIndex(index)
        self._list.scrollTo(index)

    def _choose(self, index: QModelIndex) -> None:
        chapter = index.data(Qt.ItemDataRole.UserRole)
        if chapter is not None:
            self.chosen.emit(chapter.start)
            self.close()


def _row_at(chapters: Sequence[Chapter], offset: int) -> int:
    """Return the row of the innermost chapter at an offset, 0 before the first."""
    return max(sum(1 for chapter in chapters if chapter.start <= offset) - 1, 0)
