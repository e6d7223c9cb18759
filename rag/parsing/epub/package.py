"""The package file of an EPUB: what belongs to the book, and in which order it is read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import DamagedBookError
from rag.parsing.epub.archive import Archive, Target, resolve_reference
from rag.parsing.epub.markup import (
    Element,
    attribute,
    children_named,
    first_named,
    local_name,
    parse_markup,
)

_CONTAINER = "META-INF/container.xml"
_PACKAGE_TYPE = "application/oebps-package+xml"
PAGE_TYPES = frozenset(
    {
        "application/xhtml+xml",
        "text/html",
        "text/x-oeb1-document",
        "application/x-dtbook+xml",
        "image/svg+xml",
        "application/xml",
        "text/xml",
    }
)
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xht", ".svg")
_NAMED_PAGES = 5
_NCX_TYPE = "application/x-dtbncx+xml"


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the manifest; `name` is its entry in the container, None where it is missing."""

    id: str
    href: str
    name: str | None
    media_type: str
    properties: frozenset[str] = frozenset()
    fallback: str = ""

    @property
    def is_page(self) -> bool:
        """Whether text can be read from it."""
        if self.media_type in PAGE_TYPES:
            return True
        return not self.media_type.startswith("image/") and self.href.lower().endswith(
            _PAGE_SUFFIXES
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the spine: the place of its `itemref`, from 0, and the entry that holds it."""

    spine_index: int
    name: str
    linear: bool = True


@dataclass(slots=True)
class Package:
    """What the package file says.

    Attributes:
        name: the entry it was read from, "" where the book has none.
        metadata: its metadata element, None where missing.
        items: the manifest by id.
        pages: the spine in reading order: linear pages, then the others.
        ncx: the entry with the contents of an EPUB 2, None where there is none.
        guide: types of the guide with what they point at.
        warnings: what was wrong and was survived.
    """

    name: str = ""
    metadata: Element | None = None
    items: dict[str, Item] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    ncx: str | None = None
    guide: list[tuple[str, Target]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def item_with(self, prop: str) -> Item | None:
        """Return the first item of the manifest with a property."""
        return next((item for item in self.items.values() if prop in item.properties), None)


def read_package(archive: Archive) -> Package:
    """Read the package of the first rendition; a book without one gets its pages by their names.

    Raises DamagedBookError where there is no page at all.
    """
    package = Package()
    root = _read_root(archive, package)
    if root is None:
        package.warnings.append(
            "The book's package file is missing or broken; its pages are in the order of their "
            "names."
        )
    else:
        package.metadata = first_named(root, "metadata")
        _read_manifest(archive, root, package)
        _read_spine(root, package)
        _read_guide(root, package)
    if not package.pages:
        _list_pages(archive, package)
    if not package.pages:
        raise DamagedBookError(
            "The EPUB is damaged or was cut short, and no page of it can be read. Try to get the "
            "file again."
            if archive.salvaged
            else "The EPUB holds no page that can be read."
        )
    package.pages.sort(key=lambda page: not page.linear)
    return package


def _read_root(archive: Archive, package: Package) -> Element | None:
    """Return the root of the first package file with a manifest, and note its name."""
    for name in _package_names(archive):
        root = _read_xml(archive, name)
        if root is not None and first_named(root, "manifest") is not None:
            package.name = name
            return root
    return None


def _package_names(archive: Archive) -> list[str]:
    """Return the entries that may be the package file, the likeliest first."""
    names = []
    container = archive.find(_CONTAINER)
    root = None if container is None else _read_xml(archive, container)
    if root is not None:
        for rootfile in root.iter():
            if local_name(rootfile) != "rootfile":
                continue
            media_type = attribute(rootfile, "media-type")
            target = resolve_reference("", attribute(rootfile, "full-path"))
            if (
                target
                and media_type in ("", _PACKAGE_TYPE)
                and (found := archive.find(target.name))
            ):
                names.append(found)
    others = sorted(name for name in archive.names if name.lower().endswith(".opf"))
    return [*names, *(name for name in others if name not in names)]


def _read_xml(archive: Archive, name: str) -> Element | None:
    try:
        return parse_markup(archive.read(name))
    except DamagedBookError:
        return None


def _read_manifest(archive: Archive, root: Element, package: Package) -> None:
    for node in root.iter():
        if local_name(node) != "item" or not attribute(node, "href"):
            continue
        href = attribute(node, "href")
        target = resolve_reference(package.name, href)
        item = Item(
            id=attribute(node, "id"),
            href=href,
            name=archive.find(target.name) if target else None,
            media_type=attribute(node, "media-type").lower().partition(";")[0].strip(),
            properties=frozenset(attribute(node, "properties").split()),
            fallback=attribute(node, "fallback"),
        )
        package.items.setdefault(item.id or href, item)


def _read_spine(root: Element, package: Package) -> None:
    spine = first_named(root, "spine")
    if spine is None:
        return
    seen: set[str] = set()
    missing: list[str] = []
    references = [node for node in spine.iter() if local_name(node) == "itemref"]
    for index, node in enumerate(references):
        item = _readable(attribute(node, "idref"), package)
        if isinstance(item, str):
            missing.append(item)
        elif item is not None and item.name is not None and item.name not in seen:
            seen.add(item.name)
            linear = attribute(node, "linear").lower() != "no"
            package.pages.append(Page(index, item.name, linear))
    if missing:
        package.warnings.append(f"{count_pages(missing)} cannot be found in the file.")
    ncx = package.items.get(attribute(spine, "toc"))
    if ncx is None or ncx.name is None or ncx.is_page:
        ncx = next((item for item in package.items.values() if item.media_type == _NCX_TYPE), None)
    package.ncx = ncx.name if ncx else None


def count_pages(names: Sequence[str]) -> str:
    """Return the subject of a warning about pages, the first of them named."""
    listed = ", ".join(names[:_NAMED_PAGES]) + (" …" if len(names) > _NAMED_PAGES else "")
    return f"A page ({listed})" if len(names) == 1 else f"{len(names)} pages ({listed})"


def _readable(idref: str, package: Package) -> Item | str | None:
    """Return the item that stands for an `itemref`, following fallbacks.

    A string names a page that is missing; None is something that holds no text, such as a picture.
    """
    passed: set[str] = set()
    item = package.items.get(idref)
    if item is None:
        return idref or "(unnamed)"
    while not item.is_page and item.fallback in package.items and item.fallback not in passed:
        passed.add(item.fallback)
        item = package.items[item.fallback]
    if not item.is_page:
        return None
    return item if item.name is not None else item.href


def _read_guide(root: Element, package: Package) -> None:
    guide = first_named(root, "guide")
    if guide is None:
        return
    for reference in children_named(guide, "reference"):
        target = resolve_reference(package.name, attribute(reference, "href"))
        if target is not None:
            package.guide.append((attribute(reference, "type").lower(), target))


def _list_pages(archive: Archive, package: Package) -> None:
    """Take all pages of the container, for a book whose spine is missing or points nowhere."""
    listed = [item.name for item in package.items.values() if item.is_page and item.name]
    names = listed or sorted(
        (name for name in archive.names if name.lower().endswith(_PAGE_SUFFIXES[:4])),
        key=_natural_order,
    )
    package.pages = [Page(index, name) for index, name in enumerate(dict.fromkeys(names))]
    if package.name and package.pages:
        package.warnings.append(
            "The book's reading order is missing or leads to no page; its pages are in the order "
            "of its list of files."
        )


def _natural_order(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", posixpath.normpath(name).lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
