"""Small widgets that several panes use."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

BAR_HEIGHT_PX = 48


def tool_button(action: QAction, *, size_px: int = 20) -> QToolButton:
    """Return a button for an action, with its icon only; its name stays for screen readers."""
    button = QToolButton()
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
