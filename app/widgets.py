"""Small widgets that several panes use."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

BAR_HEIGHT_PX = 48


def tool_button(
    action: QAction, parent: QWidget | None = None, *, size_px: int = 20
) -> QToolButton:
    """Return a button for an action, with its icon only; its name stays for screen readers."""
    button = QToolButton(parent)
    button.setDefaultAction(action)
    button.setIconSize(QSize(size_px, size_px))
    button.setAccessibleName(action.text().replace("&", ""))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def quiet_button(
    text: str, pressed: Callable[[], object], *, kind: str = "quiet", tip: str = ""
) -> QPushButton:
    """Return a push button in one of the stylesheet's kinds."""
    button = QPushButton(text)
    button.setProperty("kind", kind)
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setAutoDefault(False)
    button.setToolTip(tip)
    button.clicked.connect(lambda: pressed())  # noqa: PLW0108  # leaves out `checked`
    return button


def pane_bar(*contents: QWidget | None, wide: QWidget | None = None) -> QFrame:
    """Return the bar at the top of a pane; None, or the `wide` one, takes the room left."""
    bar = QFrame()
    bar.setObjectName("paneBar")
    bar.setFixedHeight(BAR_HEIGHT_PX)
    row = QHBoxLayout(bar)
    row.setContentsMargins(12, 8, 8, 8)
    row.setSpacing(4)
    for widget in contents:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget, 1 if widget is wide else 0)
    return bar


def label(text: str = "", *, tone: str | None = None, wrap: bool = False) -> QLabel:
    """Return a label of plain text, so that no book or endpoint can put mark-up into it."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if tone is not None:
        made.setProperty("tone", tone)
    return made


def rule() -> QFrame:
    """Return a quiet line across."""
    made = QFrame()
    made.setProperty("kind", "rule")
    return made


class Pane(QWidget):
    """A pane of the window, with a ground of its own from the stylesheet."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)


class ElidedLabel(QLabel):
    """A label of one line that ends in an ellipsis where it does not fit."""

    def __init__(self, text: str = "", tone: str | None = None) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if tone is not None:
            self.setProperty("tone", tone)

    def minimumSizeHint(self) -> QSize:
        """It may shrink to nothing."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Paint what fits."""
        painter = QPainter(self)
        metrics = QFontMetrics(self.font())
        words = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment()), words)
        painter.end()


class FlowLayout(QLayout):
    """Lays widgets out in rows, as words in a paragraph."""

    def __init__(self, spacing: int = 4) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Take an item at the end."""
        self._items.append(item)

    def count(self) -> int:
        """Count the items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, None past the end."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove and return an item, None past the end."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        """The narrower, the higher."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the rows at a width."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Put the items in their places."""
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        """One row."""
        width = sum(item.sizeHint().width() + self.spacing() for item in self._items)
        height = max((item.sizeHint().height() for item in self._items), default=0)
        return QSize(width, height)

    def minimumSize(self) -> QSize:
        """The widest item."""
        widest = max((item.sizeHint().width() for item in self._items), default=0)
        return QSize(min(widest, 160), self.sizeHint().height())

    def _place(self, rect: QRect, *, move: bool) -> int:
        x, y, row_height = rect.x(), rect.y(), 0
        for item in self._items:
            hint = item.sizeHint()
            width = min(hint.width(), rect.width())
            if x > rect.x() and x + width > rect.right() + 1:
                x, y, row_height = rect.x(), y + row_height + self.spacing(), 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), QSize(width, hint.height())))
            x += width + self.spacing()
            row_height = max(row_height, hint.height())
        return y + row_height - rect.y()
