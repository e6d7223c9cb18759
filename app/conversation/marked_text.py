"""A few lines of a book with the quoted part marked; plain text whatever the book holds."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.fonts import book_font
from app.reading.positions import utf16_length
from app.theme import Theme

_LEAD_IN = 80
_ELLIPSIS = "… "
_ELLIPSIS_ROOM = 4


class MarkedText(QWidget):
    """Wraps a text to its width, shows at most some lines of it, and marks a part.

    The lines shown begin shortly before the marked part, so that it is always in sight.
    """

    def __init__(
        self,
        text: str,
        marked: tuple[int, int] | None,
        theme: Theme,
        *,
        max_lines: int,
        size_px: float,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._max_lines = max_lines
        self._font = book_font(size_px)
        self._text, self._marked = _lead_to(text, marked)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName(text)

    def hasHeightForWidth(self) -> bool:
        """The narrower, the higher."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the lines shown at a width."""
        layout = self._lay_out(width)
        if layout.lineCount() == 0:
            return 0
        last = layout.lineAt(layout.lineCount() - 1)
        return int(last.y() + last.height()) + 1

    def sizeHint(self) -> QSize:
        """As wide as it gets."""
        return QSize(240, self.heightForWidth(240))

    def minimumSizeHint(self) -> QSize:
        """It may be narrow."""
        return QSize(80, 0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Paint the lines."""
        layout = self._lay_out(self.width())
        painter = QPainter(self)
        painter.setPen(QColor(self._theme.colours.text))
        layout.draw(painter, QPointF(0, 0), self._marks(layout.text()))
        painter.end()

    def _marks(self, shown: str) -> list[QTextLayout.FormatRange]:
        if self._marked is None:
            return []
        mark = QTextLayout.FormatRange()
        first, last = self._marked[0], min(self._marked[1], len(shown))
        mark.start = utf16_length(self._text[:first])
        mark.length = utf16_length(self._text[first:last])
        look = QTextCharFormat()
        look.setBackground(QColor(self._theme.colours.highlight))
        mark.format = look
        return [mark]

    def _lay_out(self, width: int) -> QTextLayout:
        """Lay out what fits, with an ellipsis at its end where there is more."""
        layout = self._lines(self._text, width)
        if layout.lineCount() <= self._max_lines:
            return layout
        last = layout.lineAt(self._max_lines - 1)
        units = last.textStart() + last.textLength()
        shown = self._text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", errors="ignore")
        return self._lines(f"{shown[:-_ELLIPSIS_ROOM].rstrip(' ,;:')}…", width)

    def _lines(self, text: str, width: int) -> QTextLayout:
        layout = QTextLayout(text, self._font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.setCacheEnabled(False)
        layout.beginLayout()
        y = 0.0
        while layout.lineCount() <= self._max_lines:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(width)
            line.setPosition(QPointF(0, y))
            y += line.height()
        layout.endLayout()
        return layout


def _lead_to(text: str, marked: tuple[int, int] | None) -> tuple[str, tuple[int, int] | None]:
    """Cut off what comes long before the marked part; newlines become spaces."""
    text = text.replace("\n", " ")
    if marked is None or marked[0] <= _LEAD_IN:
        return text, marked
    cut = text.find(" ", marked[0] - _LEAD_IN) + 1
    if cut == 0 or cut > marked[0]:
        cut = marked[0]
    shift = len(_ELLIPSIS) - cut
    return _ELLIPSIS + text[cut:], (marked[0] + shift, marked[1] + shift)
