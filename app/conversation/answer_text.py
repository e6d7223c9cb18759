"""The words of an answer, with its `[n]` marks as links to the passages.

What a model writes is never read as mark-up: it is inserted as plain text, and the only links are
those that this module makes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser

from app.fonts import BOOK_FAMILIES
from app.theme import Theme

_MARK = re.compile(r"\[(\d{1,3})\]")
# The beginning of a mark at the end of what has come so far.
_MARK_BEGUN = re.compile(r"\[\d{0,3}$")
_HREF = "citation:"
_LINE_HEIGHT = 1.35


class AnswerText(QTextBrowser):
    """An answer that grows while it streams in, as high as its text.

    Signals:
        citationChosen: the number of a citation.
    """

    citationChosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._text = ""
        self._inserted = 0
        self._quotes: Sequence[str] = ()
        self._numbers: Collection[int] | None = None
        self.setObjectName("answer")
        self.setAccessibleName("Answer")
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setUndoRedoEnabled(False)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(self._fit_height)
        self.anchorClicked.connect(self._follow)
        theme.changed.connect(self._set_again)

    @property
    def text(self) -> str:
        """All that has come."""
        return self._text

    def add_text(self, text: str) -> None:
        """Append what has come; a mark that has only begun waits for its end."""
        self._text += text
        begun = _MARK_BEGUN.search(self._text, self._inserted)
        ready = len(self._text) if begun is None else begun.start()
        self._insert(self._text[self._inserted : ready])
        self._inserted = ready

    def set_text(
        self, text: str, numbers: Collection[int] | None = None, quotes: Sequence[str] = ()
    ) -> None:
        """Show a whole answer: `numbers` are its citations, `quotes` are set as book text."""
        self._text, self._numbers, self._quotes = text, numbers, quotes
        self._set_again()

    def loadResource(self, type_: int, name: QUrl | str) -> object:  # noqa: ARG002
        """Load nothing: an answer has no pictures and no pages behind it."""
        return None

    def sizeHint(self) -> QSize:
        """As high as the text."""
        return QSize(240, max(round(self.document().size().height()), 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width is another height."""
        super().resizeEvent(event)
        self._fit_height()

    def _fit_height(self) -> None:
        height = max(round(self.document().size().height()), 1)
        if height != self.height():
            self.setFixedHeight(height)

    def _set_again(self) -> None:
        self.clear()
        self._insert(self._text)
        self._inserted = len(self._text)

    def _insert(self, text: str) -> None:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        lines = QTextBlockFormat()
        # A fixed height keeps lines even where the two typefaces meet.
        lines.setLineHeight(
            self.fontMetrics().height() * _LINE_HEIGHT,
            QTextBlockFormat.LineHeightTypes.FixedHeight.value,
        )
        lines.setBottomMargin(6)
        cursor.setBlockFormat(lines)
        at = 0
        for mark in _MARK.finditer(text):
            number = int(mark.group(1))
            if self._numbers is not None and number not in self._numbers:
                continue
            words = text[at : mark.start()]
            if words.endswith(" "):
                words = f"{words[:-1]}\u00a0"  # a mark stays on the line of its words
            self._insert_words(cursor, words)
            cursor.insertText(str(number), self._mark_format(number))
            at = mark.end()
        self._insert_words(cursor, text[at:])
        cursor.endEditBlock()

    def _insert_words(self, cursor: QTextCursor, text: str) -> None:
        """Insert plain words, the verified quotes among them in the type of books."""
        text = re.sub(r"\n{2,}", "\n", text)
        plain = QTextCharFormat()
        plain.setForeground(QColor(self._theme.colours.text))
        at = 0
        for first, last in _quote_places(text, self._quotes):
            cursor.insertText(text[at:first], plain)
            cursor.insertText(text[first:last], self._quote_format())
            at = last
        cursor.insertText(text[at:], plain)

    def _quote_format(self) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setFontFamilies(list(BOOK_FAMILIES))
        made.setForeground(QColor(self._theme.colours.text))
        return made

    def _mark_format(self, number: int) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setAnchor(True)
        made.setAnchorHref(f"{_HREF}{number}")
        made.setForeground(QColor(self._theme.colours.accent))
        made.setFontWeight(QFont.Weight.DemiBold)
        made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignSuperScript)
        made.setToolTip(f"Show passage {number}")
        return made

    def _follow(self, url: QUrl) -> None:
        href = url.toString()
        if href.startswith(_HREF):
            self.citationChosen.emit(int(href.removeprefix(_HREF)))


def _quote_places(text: str, quotes: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the quotes stand in a text, in order and apart from each other."""
    places: list[tuple[int, int]] = []
    for quote in quotes:
        start = text.find(quote) if quote else -1
        if start >= 0:
            places.append((start, start + len(quote)))
    places.sort()
    apart: list[tuple[int, int]] = []
    for place in places:
        if not apart or place[0] >= apart[-1][1]:
            apart.append(place)
    return apart
