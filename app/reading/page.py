"""The page: a read-only view of one section, on which spans can be shown and selected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QTextEdit, QWidget

from app.reading.positions import Positions
from app.reading.typography import BASE_SIZE_PX, PageStyle
from app.theme import LIGHT
from core.text import BlockKind, PlacedBlock, Span

_SLICE_S = 0.004
_COLUMN_EMS = 35.0
_MARGIN_PX = 32
# Qt keeps these two for the structure of a document; they are no characters of any text.
_QT_RESERVED = str.maketrans({"\ufdd0": "\ufffd", "\ufdd1": "\ufffd"})


class Page(QTextEdit):
    """One section of a book.

    Signals:
        turned: the reader went past an end of the section; -1 back, +1 on.
        moved: the reader scrolled.
    """

    turned = Signal(int)
    moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.setReadOnly(True)
        # Not by keyboard: that brings a caret, and arrows that move it where a reader would scroll.
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Text of the book")
        self.setAcceptDrops(False)
        self._positions = Positions((), Span(0, 0))
        self._style = PageStyle(BASE_SIZE_PX, LIGHT)
        self._passage: Span | None = None
        self._found: Sequence[Span] = ()
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self.moved)
        # The bar keeps its room, so that the column does not jump; its handle shows when needed.
        bar.rangeChanged.connect(lambda _, maximum: bar.setEnabled(maximum > 0))

    async def show_blocks(
        self, blocks: Sequence[PlacedBlock], section: Span, style: PageStyle
    ) -> None:
        """Set a section's blocks, a few milliseconds at a time, and then show them."""
        positions = Positions(blocks, section)
        document = await _set_document(positions, style)
        document.setParent(self)  # the page deletes its document when it gets another
        self._positions = positions
        self._passage, self._found = None, ()
        self._style = style
        self._fit_column()
        self.setDocument(document)
        self.setExtraSelections([])
        await self._lay_out()

    def position_of(self, offset: int) -> int:
        """Return the document position of an offset in the book."""
        return self._positions.position_of(offset)

    def text_of(self, span: Span) -> str:
        """Return what the page shows at a span."""
        cursor = self._cursor(span)
        return cursor.selectedText().replace("\u2029", "\n")

    def selected_span(self) -> Span | None:
        """Return the span that the reader has selected on the page."""
        cursor = self.textCursor()
        if not cursor.hasSelection():
            return None
        return Span(
            self._positions.offset_at(cursor.selectionStart()),
            self._positions.offset_at(cursor.selectionEnd()),
        )

    def highlight(self, passage: Span | None, found: Sequence[Span] = ()) -> None:
        """Mark a passage, and more quietly what a search found; None and () unmark."""
        self._passage, self._found = passage, found
        marks = [self._mark(span, self._style.colours.found) for span in found]
        if passage is not None:
            marks.append(self._mark(passage, self._style.colours.highlight))
        self.setExtraSelections(marks)

    @property
    def highlighted(self) -> Span | None:
        """The passage that is marked."""
        return self._passage

    def scroll_to(self, offset: int) -> None:
        """Bring the line that holds an offset to the top of the page."""
        line = self._line_at(offset)
        at_start = self._positions.position_of(offset) == 0
        self.verticalScrollBar().setValue(0 if at_start else line.top())

    def scroll_to_middle(self, span: Span) -> None:
        """Bring a span to the middle of the page; one that is higher, with its start in sight."""
        first, last = self._line_at(span.start), self._line_at(span.end)
        page_px = self.viewport().height()
        above_px = max((page_px - (last.bottom() - first.top())) // 2, page_px // 8)
        self.verticalScrollBar().setValue(first.top() - above_px)

    def first_visible_offset(self) -> int:
        """Return the offset of the first line on view."""
        return self._offset_near(QPoint(0, 4))

    def last_visible_offset(self) -> int:
        """Return the offset at the end of the last line on view."""
        viewport = self.viewport()
        return self._offset_near(QPoint(viewport.width(), viewport.height() - 4))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows scroll; page keys go on to the next section at this one's end, and back."""
        bar = self.verticalScrollBar()
        scrolls: dict[int, int] = {  # by number: not every key has a name
            Qt.Key.Key_Up: bar.value() - self._line_px(),
            Qt.Key.Key_Down: bar.value() + self._line_px(),
            Qt.Key.Key_Home: bar.minimum(),
            Qt.Key.Key_End: bar.maximum(),
        }
        if event.key() in scrolls:
            bar.setValue(scrolls[event.key()])
            return
        back = event.key() == Qt.Key.Key_PageUp or (
            event.key() == Qt.Key.Key_Space
            and event.modifiers() == Qt.KeyboardModifier.ShiftModifier
        )
        if back or event.key() in (Qt.Key.Key_PageDown, Qt.Key.Key_Space):
            at_end = bar.value() == (bar.minimum() if back else bar.maximum())
            if at_end:
                self.turned.emit(-1 if back else 1)
            else:
                step = bar.pageStep() - self._line_px()
                bar.setValue(bar.value() + (-step if back else step))
            event.accept()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the column of text as wide as reads well, and the reader's place in sight."""
        first = self.first_visible_offset()
        passage = self._passage_on_view()
        self._fit_column()
        super().resizeEvent(event)
        if passage is not None:
            self.scroll_to_middle(passage)
        elif event.oldSize().width() not in (-1, event.size().width()):
            self.scroll_to(first)

    def sizeHint(self) -> QSize:
        """A page likes to be wide enough for its column."""
        return QSize(round(self._style.size_px * _COLUMN_EMS), 640)

    async def _lay_out(self) -> None:
        """Place all lines now, in slices; left alone Qt does so in ever longer steps."""
        document = self.document()
        layout = document.documentLayout()
        block = document.begin()
        deadline = time.perf_counter() + _SLICE_S
        while block.isValid() and self.document() is document:
            layout.blockBoundingRect(block)
            block = block.next()
            if time.perf_counter() > deadline:
                await asyncio.sleep(0)
                deadline = time.perf_counter() + _SLICE_S

    def _line_px(self) -> int:
        return round(self._style.size_px * 1.6)

    def _fit_column(self) -> None:
        room = self.width() - self.verticalScrollBar().sizeHint().width()
        column = min(round(self._style.size_px * _COLUMN_EMS), room - 2 * _MARGIN_PX)
        side = max((room - column) // 2, 16)
        self.setViewportMargins(side, 0, side, 0)

    def _offset_near(self, point: QPoint) -> int:
        return self._positions.offset_at(self.cursorForPosition(point).position())

    def _passage_on_view(self) -> Span | None:
        """Return the passage that is marked, where the reader sees its beginning."""
        if self._passage is None:
            return None
        top = self._line_at(self._passage.start).top() - self.verticalScrollBar().value()
        return self._passage if 0 <= top < self.viewport().height() else None

    def _line_at(self, offset: int) -> QRect:
        """Return where the letter at an offset stands, from the top of the section."""
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._positions.position_of(offset))
        return self.cursorRect(cursor).translated(0, self.verticalScrollBar().value())

    def _cursor(self, span: Span) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._positions.position_of(span.start))
        cursor.setPosition(self._positions.position_of(span.end), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _mark(self, span: Span, colour: str) -> QTextEdit.ExtraSelection:
        mark = QTextEdit.ExtraSelection()
        mark.cursor = self._cursor(span)
        mark.format = QTextCharFormat()
        mark.format.setBackground(QColor(colour))
        return mark


async def _set_document(positions: Positions, style: PageStyle) -> QTextDocument:
    """Make the document of a section, giving way to the window every few milliseconds."""
    document = QTextDocument()
    document.setUndoRedoEnabled(False)
    document.setDocumentMargin(0)
    frame = document.rootFrame().frameFormat()
    frame.setTopMargin(style.size_px * 2)
    frame.setBottomMargin(style.size_px * 5)
    document.rootFrame().setFrameFormat(frame)
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    deadline = time.perf_counter() + _SLICE_S
    previous = None
    for piece in positions.pieces:
        letters = style.character_format(piece.block)
        if previous is not None:
            cursor.insertBlock()
        cursor.setBlockFormat(style.block_format(piece.block, previous))
        cursor.setBlockCharFormat(letters)
        cursor.insertText(piece.text.translate(_QT_RESERVED), letters)
        if piece.block.kind is BlockKind.LIST_ITEM:
            cursor.createList(style.list_format(piece.block))
        previous = piece.block
        if time.perf_counter() > deadline:
            cursor.endEditBlock()
            await asyncio.sleep(0)
            cursor.beginEditBlock()
            deadline = time.perf_counter() + _SLICE_S
    cursor.endEditBlock()
    return document
