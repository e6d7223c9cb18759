"""The turns of a conversation, one under the other."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.conversation.turn_view import TurnView

_NEAR_END_PX = 48


class Transcript(QScrollArea):
    """Scrolls along with an answer while the reader stays at its end."""

    def __init__(self, empty: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Conversation")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._turns: list[TurnView] = []
        self._empty = empty
        self._follows = True
        inner = QWidget()
        inner.setObjectName("transcript")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(16, 8, 12, 16)
        self._column.setSpacing(24)
        self._column.addWidget(empty)
        self._column.addStretch(1)
        self.setWidget(inner)
        self.viewport().setAutoFillBackground(False)
        inner.setAutoFillBackground(False)
        bar = self.verticalScrollBar()
        bar.setSingleStep(24)
        bar.valueChanged.connect(self._note_place)
        bar.rangeChanged.connect(self._follow)

    @property
    def turns(self) -> list[TurnView]:
        """The turns, oldest first."""
        return list(self._turns)

    def add_turn(self, turn: TurnView) -> None:
        """Append a turn and go to it."""
        self._empty.hide()
        self._turns.append(turn)
        self._column.insertWidget(self._column.count() - 1, turn)
        self._follows = True

    def remove_turn(self, turn: TurnView) -> None:
        """Take a turn out."""
        self._turns.remove(turn)
        turn.hide()
        turn.deleteLater()
        self._empty.setVisible(not self._turns)

    def clear(self) -> None:
        """Begin anew."""
        for turn in self.turns:
            self.remove_turn(turn)

    def show_start_of(self, turn: TurnView) -> None:
        """Scroll a finished turn so that its question is in sight."""
        QTimer.singleShot(0, turn, lambda: self._scroll_to(turn))

    def _scroll_to(self, turn: TurnView) -> None:
        self._follows = False
        self.verticalScrollBar().setValue(max(turn.y() - 8, 0))

    def _note_place(self, value: int) -> None:
        self._follows = value >= self.verticalScrollBar().maximum() - _NEAR_END_PX

    def _follow(self, minimum: int, maximum: int) -> None:  # noqa: ARG002
        if self._follows:
            self.verticalScrollBar().setValue(maximum)
