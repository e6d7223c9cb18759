"""Covers that are vector drawings over a picture."""

from __future__ import annotations

import base64
from pathlib import Path

from rag.parsing.epub import parse_epub
from support.epubs import write_zip, xhtml

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
PACKAGE = """\
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="i">x</dc:identifier><dc:title>T</dc:title><dc:language>en</dc:language>
</metadata>
<manifest><item id="p" href="p.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="c.svg" media-type="image/svg+xml" properties="cover-image"/></manifest>
<spine><itemref idref="p"/></spine></package>"""
CONTAINER = """\
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>
<rootfile full-path="p.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""


def cover_of(folder: Path, drawing: str) -> tuple[str, bytes]:
    path = folder / "b.epub"
    write_zip(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "p.opf": PACKAGE,
            "p.xhtml": xhtml("<p>Some words.</p>"),
            "c.svg": drawing,
        },
    )
    cover = parse_epub(path).cover
    assert cover is not None
    return cover.media_type, cover.data


def drawing(href: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{href}"/></svg>'


def test_the_picture_within_is_the_cover(tmp_path: Path) -> None:
    href = "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()
    assert cover_of(tmp_path, drawing(href)) == ("image/jpeg", JPEG)


def test_what_is_no_picture_within_leaves_the_drawing(tmp_path: Path) -> None:
    for href in (
        "other.jpg",
        "data:image/jpeg;base64," + base64.b64encode(b"no picture" * 200).decode(),
        "data:image/jpeg;base64," + "A" * 1001,
    ):
        media_type, data = cover_of(tmp_path, drawing(href))
        assert media_type == "image/svg+xml"
        assert data == drawing(href).encode()
