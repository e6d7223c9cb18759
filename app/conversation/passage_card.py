"""A passage as a card: which book, where in it, and its words with the quote marked."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from app.conversation.marked_text import MarkedText
from app.theme import Theme
from app.widgets import ElidedLabel, label
from app.wording import percentage, plain_tip
from core.books import BookId
from core.text import Span

_MAX_LINES = 5
_TEXT_SIZE_PX = 14.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a card shows and where it leads.

    Attributes:
        book_id: the book.
        book_title: its title, "" where it is gone from the library.
        chapter: path of chapter titles.
        fraction: how far into the book, 0 to 1; None where that is not known.
        text: the words to show.
        marked: the quote within `text`, as a range of code points.
        span: what to show on the page.
        number: the `[n]` of the citation, None for a passage that was found but not cited.
    """

    book_id: BookId
    book_title: str
    chapter: str
    fraction: float | None
    text: str
    marked: tuple[int, int] | None
    span: Span
    number: int | None = None


class PassageCard(QFrame):
    """One passage; a click or Enter shows it on the page.

    Signals:
        chosen: the `Place`.
    """

    chosen = Signal(object)

    def __init__(self, place: Place, theme: Theme) -> None:
        super().__init__()
        self.place = place
        self.setProperty("kind", "card")
        self.setProperty("current", "false")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        where = place.chapter.split(" › ")[-1] if place.chapter else ""
        if place.fraction is not None:
            where = " · ".join(filter(None, (where, percentage(place.fraction))))
        number = f"[{place.number}] " if place.number is not None else ""
        self.setAccessibleName(f"{number}{place.book_title}, {where}: {place.text}")
        lines = (place.book_title, place.chapter, "Show it on the page (Enter)")
        self.setToolTip(plain_tip("\n".join(filter(None, lines))))
        head = QHBoxLayout()
        head.setSpacing(8)
        if place.number is not None:
            badge = label(str(place.number))
            badge.setObjectName("badge")
            head.addWidget(badge)
        head.addWidget(ElidedLabel(place.book_title or "A book no longer here", "heading"), 3)
        trail = ElidedLabel(where, "muted")
        trail.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(trail, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 10)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(
            MarkedText(place.text, place.marked, theme, max_lines=_MAX_LINES, size_px=_TEXT_SIZE_PX)
        )

    def set_current(self, current: bool) -> None:
        """Show whether this is the passage on the page."""
        value = "true" if current else "false"
        if self.property("current") != value:
            self.setProperty("current", value)
            self.style().unpolish(self)
            self.style().polish(self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click shows the passage."""
        inside = self.rect().contains(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and inside:
            self.chosen.emit(self.place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """So does Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.place)
            return
        super().keyPressEvent(event)
