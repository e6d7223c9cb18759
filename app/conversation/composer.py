"""Where a question is typed, and what it is put to and answered by is chosen."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QTextOption
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.icons import icon
from app.theme import Theme

_MIN_LINES = 2
_MAX_LINES = 7
_PICKER_PADDING_PX = 24


class QuestionBox(QPlainTextEdit):
    """A field that grows with the question.

    Signals:
        sent: Enter was pressed.
        focusChanged: whether it has the focus now.
    """

    sent = Signal()
    focusChanged = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("question")
        self.setAccessibleName("Question")
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter sends, Shift+Enter begins a new line."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.sent.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell the frame around."""
        super().focusInEvent(event)
        self.focusChanged.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Tell the frame around."""
        super().focusOutEvent(event)
        self.focusChanged.emit(False)

    def _fit(self) -> None:
        # The size of a plain text document is counted in lines.
        lines = round(self.document().size().height())
        wanted = min(max(lines, _MIN_LINES), _MAX_LINES)
        self.setFixedHeight(wanted * self.fontMetrics().lineSpacing() + 2)
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if lines > _MAX_LINES else policy.ScrollBarAlwaysOff
        )


class Picker(QToolButton):
    """A button that says what is chosen and drops a menu to choose anew."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._name = name
        self.setProperty("kind", "picker")
        self.setToolTip(tip)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._choice = ""
        self.setMenu(QMenu(self))

    def tell(self, choice: str) -> None:
        """Say what is chosen."""
        self._choice = choice
        self.setAccessibleName(f"{self._name}: {choice}")
        self.updateGeometry()
        self._elide()

    def minimumSizeHint(self) -> QSize:
        """It may shrink, and then elides its words."""
        return QSize(64, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """As wide as its words."""
        width = self.fontMetrics().horizontalAdvance(f"{self._choice} ▾") + _PICKER_PADDING_PX
        return QSize(width, super().sizeHint().height())

    def resizeEvent(self, event: object) -> None:
        """Say as much as fits."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._elide()

    def _elide(self) -> None:
        room = self.width() - _PICKER_PADDING_PX - self.fontMetrics().horizontalAdvance(" ▾") + 4
        words = self.fontMetrics().elidedText(self._choice, Qt.TextElideMode.ElideRight, room)
        self.setText(f"{words.replace('&', '&&')} ▾")


class Composer(QFrame):
    """The question box with its pickers and its button.

    Signals:
        asked: the question.
        stopped: the reader stops the answer.
    """

    asked = Signal(str)
    stopped = Signal()

    def __init__(self, theme: Theme, scope: Picker, endpoint: Picker) -> None:
        super().__init__()
        self.setObjectName("composer")
        self._theme = theme
        self._busy = False
        self.box = QuestionBox()
        self.box.sent.connect(self._send)
        self.box.textChanged.connect(self._enable)
        self.box.focusChanged.connect(self._show_focus)
        self._button = QToolButton()
        self._button.setProperty("kind", "send")
        self._button.setIconSize(QSize(18, 18))
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._button.clicked.connect(self._press)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(scope)
        row.addWidget(endpoint)
        row.addStretch(1)
        row.addWidget(self._button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.box)
        column.addLayout(row)
        theme.changed.connect(self._draw)
        QWidget.setTabOrder(self.box, self._button)
        self.set_busy(False)

    def set_busy(self, busy: bool) -> None:
        """Offer to stop while an answer comes, else to ask."""
        self._busy = busy
        words = "Stop (Esc)" if busy else "Ask (Enter)"
        self._button.setToolTip(words)
        self._button.setAccessibleName(words)
        self._draw()
        self._enable()

    def _draw(self) -> None:
        name = "stop" if self._busy else "send"
        self._button.setIcon(icon(name, self._theme.colours, on_accent=True))

    def _enable(self) -> None:
        self._button.setEnabled(self._busy or bool(self.box.toPlainText().strip()))

    def _press(self) -> None:
        if self._busy:
            self.stopped.emit()
        else:
            self._send()

    def _send(self) -> None:
        question = self.box.toPlainText().strip()
        if question and not self._busy:
            self.box.clear()
            self.asked.emit(question)

    def _show_focus(self, focused: bool) -> None:
        self.setProperty("focused", "true" if focused else "false")
        self.style().unpolish(self)
        self.style().polish(self)
