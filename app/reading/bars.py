"""The bars round the page: where one is, and how to move."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.actions import Actions
from app.reading.opened_book import OpenedBook
from app.widgets import ElidedLabel, label, pane_bar, quiet_button, tool_button
from app.wording import percentage, plain_tip

_PROGRESS_STEPS = 1000


class ReadingBar(QFrame):
    """The name of the chapter, its contents, and buttons to move and to set the text."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.contents_button = tool_button(actions["contents"])
        self.contents_button.setProperty("kind", "chapter")
        self._book_title = ElidedLabel(tone="muted")
        self._chapter_title = ElidedLabel(tone="heading")
        titles = _Titles()
        titles.pressed.connect(actions["contents"].trigger)
        titles.setToolTip(actions["contents"].toolTip())
        titles.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        lines = QVBoxLayout(titles)
        lines.setContentsMargins(4, 0, 4, 0)
        lines.setSpacing(0)
        lines.addWidget(self._chapter_title)
        lines.addWidget(self._book_title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        bar = pane_bar(
            self.contents_button,
            titles,
            *(
                tool_button(actions[name])
                for name in (
                    "previous_section",
                    "next_section",
                    "smaller_text",
                    "larger_text",
                    "find",
                )
            ),
            wide=titles,
        )
        column.addWidget(bar)

    def show_section(self, opened: OpenedBook, index: int) -> None:
        """Name the section on view."""
        section = opened.sections[index]
        self._chapter_title.setText(section.label or opened.book.title)
        words = [opened.book.title, opened.book.author] if section.label else [opened.book.author]
        self._book_title.setText(" · ".join(word for word in words if word))
        self._chapter_title.setToolTip(plain_tip(section.label))


class _Titles(QWidget):
    """The titles of chapter and book, which drop the contents down too.

    Signals:
        pressed: a click.
    """

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click is a press."""
        if self.rect().contains(event.position().toPoint()):
            self.pressed.emit()


class VisitBar(QFrame):
    """Says that the page shows a passage away from the reader's place, and leads back.

    Signals:
        stayed: the reader wants to read on here.
    """

    stayed = Signal()

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        inner = QFrame()
        inner.setObjectName("visitBar")
        row = QHBoxLayout(inner)
        row.setContentsMargins(12, 4, 4, 4)
        row.addWidget(ElidedLabel("You are visiting this passage."), 1)
        back = actions["back_to_place"]
        row.addWidget(quiet_button("Back to my place", back.trigger, tip=back.toolTip()))
        row.addWidget(
            quiet_button("Read on here", self.stayed.emit, tip="Make this my place in the book")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 16, 8)
        column.addWidget(inner)
        self.hide()


class PlaceBar(QFrame):
    """How far into the book the page is."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = QProgressBar()
        self._bar.setRange(0, _PROGRESS_STEPS)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Place in the book")
        self._words = label(tone="muted")
        self._words.setFixedWidth(self._words.fontMetrics().horizontalAdvance("100%") + 2)
        self._words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(32, 8, 32, 12)
        row.setSpacing(16)
        row.addWidget(self._bar, 1)
        row.addWidget(self._words)

    def show_place(self, opened: OpenedBook, offset: int) -> None:
        """Show an offset as a share of the book."""
        fraction = opened.fraction(offset)
        self._bar.setValue(round(fraction * _PROGRESS_STEPS))
        self._words.setText(percentage(fraction))
        self._words.setToolTip(plain_tip(opened.place(offset)))
