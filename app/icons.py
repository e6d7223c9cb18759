"""Icons drawn from the strokes in resources/icons, in the colours of the theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.theme import Colours

_STROKE = "#000"
_ICON_SIZES_PX = (16, 20)
_PIXEL_RATIOS = (1.0, 2.0)


@cache
def _drawing(name: str) -> str:
    return files("resources.icons").joinpath(f"{name}.svg").read_text("utf-8")


@cache
def pixmap(name: str, colour: str, size_px: int, pixel_ratio: float = 1.0) -> QPixmap:
    """Return an icon as a picture of `size_px` logical pixels on each side."""
    drawing = _drawing(name).replace(_STROKE, colour)
    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    picture = QPixmap(round(size_px * pixel_ratio), round(size_px * pixel_ratio))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter, QRectF(picture.rect()))
    painter.end()
    picture.setDevicePixelRatio(pixel_ratio)
    return picture


@cache
def icon(name: str, colours: Colours, *, on_accent: bool = False) -> QIcon:
    """Return an icon in the theme's colours, faint where its action is disabled."""
    made = QIcon()
    colour = colours.on_accent if on_accent else colours.muted
    for size in _ICON_SIZES_PX:
        for ratio in _PIXEL_RATIOS:
            made.addPixmap(pixmap(name, colour, size, ratio), QIcon.Mode.Normal)
            made.addPixmap(pixmap(name, colours.faint, size, ratio), QIcon.Mode.Disabled)
    return made


def application_icon() -> QIcon:
    """Return the icon of Postil itself."""
    made = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        made.addPixmap(pixmap("postil", _STROKE, size))
    return made
