"""Typefaces: Inter for the window, Literata for books, each with what a system has instead."""

from __future__ import annotations

import logging
import sys
from importlib.resources import files

from PySide6.QtGui import QFont, QFontDatabase

log = logging.getLogger(__name__)

UI_FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Ubuntu", "Noto Sans", "DejaVu Sans")
BOOK_FAMILIES = (
    "Literata",
    "Georgia",
    "Iowan Old Style",
    "Noto Serif",
    "DejaVu Serif",
    # Scripts that Literata has no letters for.
    "Noto Serif CJK SC",
    "Songti SC",
    "SimSun",
    "Noto Naskh Arabic",
    "Noto Serif Hebrew",
)
CODE_FAMILIES = ("Cascadia Mono", "SF Mono", "Menlo", "DejaVu Sans Mono")

# A point is a pixel on macOS and 4/3 of one elsewhere: both come to 13 pixels.
UI_POINT_SIZE = 13.0 if sys.platform == "darwin" else 9.75


def load_fonts() -> None:
    """Make the bundled typefaces known to Qt; one that does not load falls back to the system's."""
    for entry in files("resources.fonts").iterdir():
        if not entry.name.endswith(".ttf"):
            continue
        if QFontDatabase.addApplicationFontFromData(entry.read_bytes()) < 0:
            log.error("the typeface %s does not load", entry.name)


def ui_font(scale: float = 1.0, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the window's font, scaled."""
    font = QFont(list(UI_FAMILIES))
    font.setPointSizeF(UI_POINT_SIZE * scale)
    font.setWeight(weight)
    return font


def book_font(pixel_size: float, *, italic: bool = False) -> QFont:
    """Return the font of books at a size in pixels."""
    font = QFont(list(BOOK_FAMILIES))
    font.setPixelSize(round(pixel_size))
    font.setItalic(italic)
    font.setStyleHint(QFont.StyleHint.Serif)
    return font
