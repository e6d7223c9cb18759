"""How each kind of block is set on the page."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QTextBlockFormat, QTextCharFormat, QTextListFormat

from app.fonts import BOOK_FAMILIES, CODE_FAMILIES, UI_FAMILIES
from app.theme import Colours
from core.text import Block, BlockKind, Matter

BASE_SIZE_PX = 18.0
# Of the height that the typeface itself asks for, which in Literata is 1.48 em.
_LINE_HEIGHT_PERCENT = 110.0
_TIGHT_LINE_HEIGHT_PERCENT = 97.0
_HEADING_SCALES = {1: 1.75, 2: 1.45, 3: 1.2}
_BULLETS = (
    QTextListFormat.Style.ListDisc,
    QTextListFormat.Style.ListCircle,
    QTextListFormat.Style.ListSquare,
)
_PROPORTIONAL = QTextBlockFormat.LineHeightTypes.ProportionalHeight.value


@dataclass(frozen=True, slots=True)
class PageStyle:
    """What a page is set with: the size of plain text in pixels, and the colours."""

    size_px: float
    colours: Colours

    def character_format(self, block: Block) -> QTextCharFormat:
        """Return how the letters of a block look."""
        made = QTextCharFormat()
        made.setFontFamilies(list(BOOK_FAMILIES))
        size = self.size_px
        match block.kind:
            case BlockKind.HEADING:
                size *= _HEADING_SCALES.get(max(block.level, 1), 1.05)
                made.setFontWeight(QFont.Weight.DemiBold)
            case BlockKind.NOTE:
                size *= 0.86
                made.setForeground(QColor(self.colours.muted))
            case BlockKind.CAPTION:
                size *= 0.86
                made.setFontItalic(True)
                made.setForeground(QColor(self.colours.muted))
            case BlockKind.TABLE_ROW:
                size *= 0.82
                made.setFontFamilies(list(UI_FAMILIES))
            case BlockKind.CODE:
                size *= 0.82
                made.setFontFamilies(list(CODE_FAMILIES))
            case _:
                pass
        if block.matter is not Matter.BODY:
            made.setForeground(QColor(self.colours.muted))
            if block.kind is not BlockKind.HEADING:
                size *= 0.9
        made.setProperty(QTextCharFormat.Property.FontPixelSize, round(size))
        return made

    def block_format(self, block: Block, previous: Block | None) -> QTextBlockFormat:
        """Return how a block stands on the page, after `previous`."""
        made = QTextBlockFormat()
        em = self.size_px
        made.setLineHeight(_LINE_HEIGHT_PERCENT, _PROPORTIONAL)
        before = None if previous is None else previous.kind
        match block.kind:
            case BlockKind.HEADING:
                made.setLineHeight(_TIGHT_LINE_HEIGHT_PERCENT, _PROPORTIONAL)
                follows_heading = before in (None, BlockKind.HEADING)
                made.setTopMargin(0 if follows_heading else em * 1.8)
                made.setBottomMargin(em * (0.5 if follows_heading else 0.9))
                made.setHeadingLevel(min(max(block.level, 1), 6))
            case BlockKind.PARAGRAPH if block.matter is not Matter.BODY:
                made.setBottomMargin(em * 0.5)
            case BlockKind.PARAGRAPH if before is BlockKind.PARAGRAPH:
                made.setTextIndent(em * 1.4)
            case BlockKind.PARAGRAPH:
                made.setTopMargin(0 if before is None else em * 0.5)
            case BlockKind.QUOTE:
                made.setLeftMargin(em * (1.8 + 1.2 * block.level))
                made.setRightMargin(em * 1.8)
                made.setTopMargin(0 if before is BlockKind.QUOTE else em * 0.8)
                made.setBottomMargin(em * 0.5)
            case BlockKind.VERSE:
                made.setLeftMargin(em * 3.2)
                made.setTextIndent(-em * 1.4)
                made.setTopMargin(0 if before is BlockKind.VERSE else em * 0.8)
                made.setLineHeight(_TIGHT_LINE_HEIGHT_PERCENT, _PROPORTIONAL)
            case BlockKind.LIST_ITEM:
                made.setTopMargin(0 if before is BlockKind.LIST_ITEM else em * 0.5)
                made.setBottomMargin(em * 0.3)
            case BlockKind.NOTE:
                made.setLineHeight(_TIGHT_LINE_HEIGHT_PERCENT, _PROPORTIONAL)
                made.setLeftMargin(em * 1.4)
                made.setTopMargin(0 if before is BlockKind.NOTE else em * 0.8)
                made.setBottomMargin(em * 0.4)
            case BlockKind.CAPTION:
                made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
                made.setBottomMargin(em)
            case BlockKind.TABLE_ROW | BlockKind.CODE:
                made.setLineHeight(_TIGHT_LINE_HEIGHT_PERCENT, _PROPORTIONAL)
                made.setTopMargin(0 if before is block.kind else em * 0.8)
                made.setBottomMargin(em * 0.2)
        return made

    def list_format(self, block: Block) -> QTextListFormat:
        """Return the bullet of a list item and how far it is indented."""
        made = QTextListFormat()
        made.setStyle(_BULLETS[block.level % len(_BULLETS)])
        made.setIndent(1 + block.level)
        return made
