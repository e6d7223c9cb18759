"""Paints one book of the library."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.fonts import ui_font
from app.icons import pixmap
from app.library.book_model import BookRole, status_words
from app.library.covers import COVER_SIZE, Covers
from app.theme import Theme
from app.wording import percentage
from core.books import Book, BookStatus

AnyIndex = QModelIndex | QPersistentModelIndex
ROW_HEIGHT_PX = 84
_PADDING_PX = 10
_INSET_PX = 6
_ONE_LINE = Qt.TextFlag.TextSingleLine


class BookDelegate(QStyledItemDelegate):
    """Cover, title, author, and how far the book has come."""

    def __init__(self, covers: Covers, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._covers = covers
        self._theme = theme
        self._title_font = ui_font(1.0, QFont.Weight.DemiBold)
        self._author_font = ui_font(0.94)
        self._status_font = ui_font(0.88)

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:  # noqa: ARG002
        """All rows are of one height."""
        return QSize(160, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a row."""
        book: Book = index.data(BookRole.BOOK)
        progress: float | None = index.data(BookRole.PROGRESS)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row: QRect = option.rect
        state: QStyle.StateFlag = option.state
        self._paint_ground(painter, row, state)
        cover = QRect(row.topLeft(), COVER_SIZE).translated(_INSET_PX + _PADDING_PX, _PADDING_PX)
        painter.drawPixmap(
            cover.topLeft(), self._covers.thumbnail(book, painter.device().devicePixelRatio())
        )
        words = QRect(row).adjusted(
            _INSET_PX + _PADDING_PX * 2 + COVER_SIZE.width() + 2,
            _PADDING_PX,
            -_INSET_PX - _PADDING_PX,
            -_PADDING_PX,
        )
        self._paint_words(painter, words, book, progress)
        painter.restore()

    def _paint_ground(self, painter: QPainter, row: QRect, state: QStyle.StateFlag) -> None:
        colours = self._theme.colours
        ground = QRectF(row).adjusted(_INSET_PX, 1, -_INSET_PX, -1)
        if state & QStyle.StateFlag.State_Selected:
            active = state & QStyle.StateFlag.State_Active
            colour = colours.accent_tint if active else colours.pressed
        elif state & QStyle.StateFlag.State_MouseOver:
            colour = colours.hover
        else:
            colour = None
        if colour is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(ground, 8, 8)
        if state & QStyle.StateFlag.State_HasFocus and state & (
            QStyle.StateFlag.State_KeyboardFocusChange
        ):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRoundedRect(ground.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)

    def _paint_words(
        self, painter: QPainter, words: QRect, book: Book, progress: float | None
    ) -> None:
        colours = self._theme.colours
        painter.setFont(self._title_font)
        metrics = QFontMetrics(self._title_font)
        lines = _two_lines(book.title, metrics, words.width())
        y = words.top() + (0 if len(lines) == 2 else 4)
        painter.setPen(QColor(colours.text))
        for line in lines:
            painter.drawText(words.left(), y + metrics.ascent(), line)
            y += metrics.height()
        painter.setFont(self._author_font)
        painter.setPen(QColor(colours.muted))
        metrics = QFontMetrics(self._author_font)
        author = metrics.elidedText(book.author, Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words.left(), y + 2 + metrics.ascent(), author)
        status = QRect(words.left(), words.bottom() - 15, words.width(), 16)
        self._paint_status(painter, status, book, progress)

    def _paint_status(
        self, painter: QPainter, line: QRect, book: Book, progress: float | None
    ) -> None:
        colours = self._theme.colours
        words = status_words(book)
        colour = colours.muted
        if book.status is BookStatus.FAILED:
            colour = colours.danger
            ratio = painter.device().devicePixelRatio()
            painter.drawPixmap(line.left(), line.top() + 1, pixmap("error", colour, 14, ratio))
            line = line.adjusted(18, 0, 0, 0)
        elif book.status is BookStatus.SEARCHABLE and progress is not None:
            words = f"Reading for meaning · {percentage(progress)}"
            _paint_ring(painter, line, progress, colours.accent, colours.pressed)
            line = line.adjusted(18, 0, 0, 0)
        painter.setFont(self._status_font)
        painter.setPen(QColor(colour))
        shown = QFontMetrics(self._status_font).elidedText(
            words, Qt.TextElideMode.ElideRight, line.width()
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | _ONE_LINE, shown)


def _paint_ring(painter: QPainter, line: QRect, fraction: float, colour: str, ground: str) -> None:
    ring = QRectF(line.left() + 1, line.center().y() - 5, 11, 11)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(ground), 2.2))
    painter.drawEllipse(ring)
    painter.setPen(QPen(QColor(colour), 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawArc(ring, 90 * 16, round(-360 * 16 * fraction))


def _two_lines(text: str, metrics: QFontMetrics, width: int) -> list[str]:
    """Return a text as one line, or as two of which the second ends in an ellipsis if need be."""
    if metrics.horizontalAdvance(text) <= width:
        return [text]
    words = text.split(" ")
    first = words[0]
    taken = 1
    while taken < len(words) and metrics.horizontalAdvance(f"{first} {words[taken]}") <= width:
        first = f"{first} {words[taken]}"
        taken += 1
    if taken == len(words) or metrics.horizontalAdvance(first) > width:
        return [metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)]
    rest = " ".join(words[taken:])
    return [first, metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width)]
