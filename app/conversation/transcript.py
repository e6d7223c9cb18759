"""The turns of a conversation, one under the other."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.conversation.turn_view import TurnView

_ROOM_ABOVE_PX = 8


class Transcript(QScrollArea):
    """Follows an answer until its question has reached the top; from there the reader scrolls."""

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
        bar.sliderPressed.connect(self._let_go)
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

    def _let_go(self) -> None:
        self._follows = False

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The reader scrolls for themselves from now on."""
        self._let_go()
        super().wheelEvent(event)

    def _follow(self, minimum: int, maximum: int) -> None:  # noqa: ARG002
        if self._follows and self._turns:
            top = self._turns[-1].y() - _ROOM_ABOVE_PX
            self.verticalScrollBar().setValue(min(maximum, max(top, 0)))
