"""What a newcomer sees: what Postil is for, and the first three things to do."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.fonts import book_font
from app.icons import pixmap
from app.widgets import label, quiet_button

_WIDTH_PX = 460
FIRST_QUESTIONS = (
    "How does Postil make sure that a quote really stands in the book?",
    "What leaves my computer when I ask a question?",
    "How do I add books?",
)


class Welcome(QWidget):
    """The reading pane while no book is open."""

    def __init__(self, add_books: QAction, user_guide: QAction) -> None:
        super().__init__()
        mark = QLabel()
        mark.setPixmap(pixmap("postil", "#000", 64, self.devicePixelRatioF()))
        self._title = label(wrap=True)
        self._title.setObjectName("welcomeTitle")
        self._title.setFont(book_font(28))
        self._words = label(wrap=True, tone="muted")
        add = quiet_button("Add books…", add_books.trigger, kind="primary", tip=add_books.toolTip())
        guide = quiet_button("Open the user guide", user_guide.trigger, tip=user_guide.toolTip())
        self.setFocusProxy(add)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(add)
        buttons.addWidget(guide)
        buttons.addStretch(1)
        inner = QWidget()
        inner.setMaximumWidth(_WIDTH_PX)
        column = QVBoxLayout(inner)
        column.setSpacing(16)
        column.addWidget(mark)
        column.addWidget(self._title)
        column.addWidget(self._words)
        column.addLayout(buttons)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(24, 32, 24, 32)
        outer.addStretch(1)
        outer.addWidget(inner, 100, Qt.AlignmentFlag.AlignVCenter)  # all it may have
        outer.addStretch(1)
        self.show_books(0)

    def show_books(self, count: int) -> None:
        """Speak to a newcomer while there are no books, else to a reader."""
        if count:
            self._title.setText("Choose a book to read")
            self._words.setText(
                "Or ask your whole library a question on the right. Drop more books anywhere on "
                "this window whenever you like."
            )
        else:
            self._title.setText("Bring your books")
            self._words.setText(
                "Drop EPUB or text files anywhere on this window. In half a minute you can ask a "
                "book a question and get an answer in its own words, each quote one click from "
                "its place on the page. Your books stay on this computer."
            )


class FirstQuestions(QWidget):
    """The conversation pane before the first question: what one might ask.

    Signals:
        suggested: a question that the reader picked.
    """

    suggested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[QWidget] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        self._words = label(wrap=True, tone="muted")
        column.addWidget(self._words)
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(8)
        column.addLayout(self._buttons)
        self.show_guide(False)

    def show_guide(self, is_guide: bool) -> None:
        """Suggest questions where the guide is the open book, else say how to ask."""
        for shown in self._shown:
            shown.deleteLater()
        self._shown.clear()
        if not is_guide:
            self._words.setText(
                "Ask in your own words. The answer quotes your books, and every quote leads to "
                "its page."
            )
            return
        self._words.setText("The guide is a book like any other. Ask it something:")
        for question in FIRST_QUESTIONS:
            suggestion = _Suggestion(question)
            suggestion.chosen.connect(self.suggested)
            self._buttons.addWidget(suggestion)
            self._shown.append(suggestion)


class _Suggestion(QFrame):
    """A question that can be taken up with a click or Enter; a push button would not wrap it.

    Signals:
        chosen: the question.
    """

    chosen = Signal(str)

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self.setProperty("kind", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(question)
        self.setToolTip("Put this question into the box (Enter)")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.addWidget(label(question, wrap=True))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click takes the question up."""
        if self.rect().contains(event.position().toPoint()):
            self.chosen.emit(self._question)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """So does Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self._question)
            return
        super().keyPressEvent(event)
