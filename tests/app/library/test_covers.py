from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage

from app.library.covers import COVER_SIZE, draw_cover, read_picture


@pytest.mark.parametrize("size", [(600, 900), (900, 600), (10, 10), (44, 4000)])
def test_any_shape_of_picture_fills_the_cover(
    application: object, tmp_path: Path, size: tuple[int, int]
) -> None:
    image = QImage(QSize(*size), QImage.Format.Format_RGB32)
    image.fill(QColor("teal"))
    path = tmp_path / "cover.png"
    assert image.save(str(path))
    read = read_picture(path, 2.0)
    assert read is not None
    assert read.size() == COVER_SIZE * 2.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n torn",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9'/></svg>",
    ],
)
def test_what_is_no_picture_is_none(application: object, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cover.jpg"
    path.write_bytes(data)
    assert read_picture(path, 1.0) is None


def test_a_missing_file_is_none(application: object, tmp_path: Path) -> None:
    assert read_picture(tmp_path / "gone.jpg", 1.0) is None


@pytest.mark.parametrize(
    "title", ["", "I", "紅樓夢", "A" * 400, "The Adventures of Sherlock Holmes"]
)
def test_a_cover_set_in_type_is_the_same_every_time(application: object, title: str) -> None:
    first = draw_cover(title, "An Author", 2.0).toImage()
    assert first.size() == COVER_SIZE * 2.0
    assert draw_cover(title, "An Author", 2.0).toImage() == first
