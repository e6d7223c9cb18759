"""Cover thumbnails: the book's own picture, or one set in type where it has none."""

from __future__ import annotations

import zlib
from pathlib import Path

from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPainterPath, QPen, QPixmap

from app.background import Background
from app.fonts import book_font
from core.books import Book, BookId

COVER_SIZE = QSize(44, 64)
_RADIUS_PX = 3.0
_KEPT_PICTURES = 1000
# Cloth, ink: the bindings of an old shelf.
_CLOTHS = (
    ("#6b2f2a", "#f2dfc4"),
    ("#2f4a45", "#e9dfc3"),
    ("#33415c", "#e8e1cf"),
    ("#5a4632", "#f0dfb9"),
    ("#4a3550", "#ecdcd3"),
    ("#6f5a24", "#f7ecd0"),
    ("#3f4a2d", "#ece5c8"),
    ("#7a4a2b", "#f6e6cf"),
)
# What is read as a picture. Vector drawings are left out: they are programs of a kind.
_PICTURE_FORMATS = {b"jpeg", b"jpg", b"png", b"gif", b"webp", b"bmp"}


class Covers(QObject):
    """Thumbnails by book; pictures are read on a thread.

    Signals:
        loaded: the id of a book whose picture has come.
    """

    loaded = Signal(int)

    def __init__(self, folder: Path, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._folder = folder
        self._background = background
        self._pictures: dict[tuple[str, float], QPixmap | None] = {}

    def thumbnail(self, book: Book, pixel_ratio: float) -> QPixmap:
        """Return a book's cover, set in type until its picture is there."""
        if book.cover_name is None:
            return self._set_in_type(book, pixel_ratio)
        key = (book.cover_name, pixel_ratio)
        if key not in self._pictures:
            self._keep(key, None)
            self._background.spawn(self._load(key, book.id))
        return self._pictures[key] or self._set_in_type(book, pixel_ratio)

    def _set_in_type(self, book: Book, pixel_ratio: float) -> QPixmap:
        key = (f"{book.title}\n{book.author}", pixel_ratio)
        made = self._pictures.get(key)
        if made is None:
            made = draw_cover(book.title, book.author, pixel_ratio)
            self._keep(key, made)
        return made

    def _keep(self, key: tuple[str, float], picture: QPixmap | None) -> None:
        """Keep a picture, and let the oldest go where there are many."""
        self._pictures[key] = picture
        if len(self._pictures) > _KEPT_PICTURES:
            del self._pictures[next(iter(self._pictures))]

    async def _load(self, key: tuple[str, float], book_id: BookId) -> None:
        name, pixel_ratio = key
        image = await self._background.read(read_picture, self._folder / name, pixel_ratio)
        if image is not None:
            self._pictures[key] = _rounded(QPixmap.fromImage(image), pixel_ratio)
            self.loaded.emit(book_id)


def read_picture(path: Path, pixel_ratio: float) -> QImage | None:
    """Return a picture cut to the size of a cover, None where it is none that Postil reads."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    reader.setDecideFormatFromContent(True)
    if reader.format().data() not in _PICTURE_FORMATS:
        return None
    wanted = COVER_SIZE * pixel_ratio
    size = reader.size()
    if size.isValid():
        reader.setScaledSize(size.scaled(wanted, Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    image = reader.read()
    if image.isNull():
        return None
    image = image.scaled(
        wanted,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    left = (image.width() - wanted.width()) // 2
    return image.copy(left, 0, wanted.width(), wanted.height())


def draw_cover(title: str, author: str, pixel_ratio: float) -> QPixmap:
    """Return a cover set in type on a cloth that is always the same for the same book."""
    cloth, ink = _CLOTHS[zlib.crc32(f"{title}\n{author}".encode()) % len(_CLOTHS)]
    picture = QPixmap(COVER_SIZE * pixel_ratio)
    picture.setDevicePixelRatio(pixel_ratio)
    picture.fill(QColor(cloth))
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    width, height = COVER_SIZE.width(), COVER_SIZE.height()
    painter.fillRect(QRectF(0, 0, 3, height), QColor(cloth).darker(125))
    pen = QPen(QColor(ink), 0.6)
    pen.setCosmetic(False)
    painter.setPen(pen)
    painter.setOpacity(0.55)
    painter.drawRect(QRectF(5.5, 3, width - 8.5, height - 6))
    painter.setOpacity(1.0)
    painter.setPen(QColor(ink))
    inner = QRectF(7, 5, width - 11.5, height - 10)
    flags = int(Qt.AlignmentFlag.AlignHCenter) | int(Qt.TextFlag.TextWordWrap)
    for size in (8, 7, 6, 5):
        painter.setFont(book_font(size))
        box = painter.boundingRect(inner, flags, title)
        if box.height() <= inner.height() and box.width() <= inner.width():
            break
    painter.drawText(inner, flags | int(Qt.AlignmentFlag.AlignVCenter), title)
    painter.end()
    return _rounded(picture, pixel_ratio)


def _rounded(picture: QPixmap, pixel_ratio: float) -> QPixmap:
    """Return a picture with soft corners and a thin edge."""
    made = QPixmap(picture.size())
    made.fill(Qt.GlobalColor.transparent)
    made.setDevicePixelRatio(pixel_ratio)
    picture.setDevicePixelRatio(pixel_ratio)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    frame = QRectF(0, 0, COVER_SIZE.width(), COVER_SIZE.height())
    shape.addRoundedRect(frame, _RADIUS_PX, _RADIUS_PX)
    painter.setClipPath(shape)
    painter.drawPixmap(0, 0, picture)
    painter.setClipping(False)
    painter.setPen(QPen(QColor(0, 0, 0, 50), 1))
    painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
    painter.end()
    return made
