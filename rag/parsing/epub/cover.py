"""The cover picture of a book."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from core.errors import BadBookError, OversizedBookError
from core.text import Cover
from rag.parsing.epub.archive import Archive, resolve_reference
from rag.parsing.epub.markup import Element, attribute, local_name, parse_markup
from rag.parsing.epub.metadata import cover_id
from rag.parsing.epub.package import Package

MAX_COVER_BYTES = 8 * 2**20
"""Covers have some 100 KB to 2 MB."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)
_SVG_HEAD_BYTES = 2048
_EMBEDDED = re.compile(rb"data:image/(?:jpeg|png|webp);base64,(?P<data>[A-Za-z0-9+/=\s]{1000,})")


def read_cover(archive: Archive, package: Package) -> Cover | None:
    """Return the cover: what the book names as such, else the first picture of its first page.

    A book without its cover is still a book: one that cannot be read is none, and so is one larger
    than `MAX_COVER_BYTES`, of which the package's warnings tell.
    """
    too_large = False
    for name in dict.fromkeys(_candidates(archive, package)):
        try:
            data = archive.read(name)
        except BadBookError as error:
            too_large = too_large or isinstance(error, OversizedBookError)
            continue
        if len(data) > MAX_COVER_BYTES:
            too_large = True
        elif media_type := _picture_type(data):
            return _picture_within(data) or Cover(data, media_type)
    if too_large:
        package.warnings.append(
            f"The cover picture is larger than {MAX_COVER_BYTES // 2**20} MB, so the book is shown "
            "without it."
        )
    return None


def _picture_within(data: bytes) -> Cover | None:
    """Return the photograph or painting that a vector drawing shows, None where it embeds none.

    Vector covers often only set a title over a picture; the picture alone is safe to show anywhere.
    """
    found = _EMBEDDED.search(data)
    if found is None:
        return None
    try:
        picture = base64.b64decode(found["data"])
    except ValueError:
        return None
    media_type = _picture_type(picture)
    return Cover(picture, media_type) if media_type.startswith("image/") else None


def _candidates(archive: Archive, package: Package) -> Iterator[str]:
    """Yield entries that may hold the cover, the likeliest first."""
    named = package.item_with("cover-image") or package.items.get(cover_id(package.metadata))
    guides = [target.name for kind, target in package.guide if kind == "cover"]
    if named is not None and named.name is not None:
        yield from _pictures(archive, named.name)
    for guide in guides:
        if (found := archive.find(guide)) is not None:
            yield from _pictures(archive, found)
    for item in package.items.values():
        is_picture = item.media_type.startswith("image/")
        if item.name and is_picture and "cover" in f"{item.id} {item.href}".lower():
            yield item.name
    if package.pages:
        yield from _pictures(archive, package.pages[0].name)


def _pictures(archive: Archive, name: str) -> Iterator[str]:
    """Yield the first picture that a page shows; what is no page may be a picture itself."""
    try:
        data = archive.read(name)
        root = None if _picture_type(data) else parse_markup(data)
    except BadBookError:
        root = None
    if root is None:
        yield name
        return
    for node in root.iter():
        if local_name(node) in ("img", "image"):
            target = resolve_reference(name, _source(node))
            if target is not None and (found := archive.find(target.name)) is not None:
                yield found
                return


def _source(node: Element) -> str:
    return attribute(node, "src") or attribute(node, "href")


def _picture_type(data: bytes) -> str:
    """Return the media type of a picture by its first bytes, "" for anything else."""
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    head = data[:_SVG_HEAD_BYTES]
    return "image/svg+xml" if b"<svg" in head and b"<html" not in head else ""
