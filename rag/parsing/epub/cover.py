"""The cover picture of a book."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import BadBookError
from core.text import Cover
from rag.parsing.epub.archive import Archive, resolve_reference
from rag.parsing.epub.markup import Element, attribute, local_name, parse_markup
from rag.parsing.epub.metadata import cover_id
from rag.parsing.epub.package import Package

_SIGNATURES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)
_SVG_HEAD_BYTES = 2048


def read_cover(archive: Archive, package: Package) -> Cover | None:
    """Return the cover: what the book names as such, else the first picture of its first page."""
    for name in dict.fromkeys(_candidates(archive, package)):
        data = _read(archive, name)
        if media_type := _picture_type(data):
            return Cover(data, media_type)
    return None


def _read(archive: Archive, name: str) -> bytes:
    try:
        return archive.read(name)
    except BadBookError:
        return b""  # a book without its cover is still a book


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
    """Yield a picture's entry, or the first picture that a page shows."""
    data = _read(archive, name)
    if _picture_type(data):
        yield name
        return
    root = parse_markup(data)
    for node in () if root is None else root.iter():
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
