"""The table of contents of a book, from its navigation document (EPUB 3) or its NCX (EPUB 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.text import fold_text
from rag.parsing.epub.archive import Target, resolve_reference
from rag.parsing.epub.markup import Element, attribute, children_named, local_name

_MAX_LEVEL = 32
"""Lines of contents under more than these are nested by mistake, and left out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the contents: its title, its depth from 1, and what it points at, if anything."""

    title: str
    level: int
    target: Target | None


def read_navigation(root: Element, name: str) -> list[Entry]:
    """Return the contents in the navigation document called `name`, in its own order."""
    navs = [node for node in root.iter() if local_name(node) == "nav"]
    tables = [nav for nav in navs if "toc" in _types(nav)] or navs
    if not tables:
        return []
    return [
        entry for ordered in children_named(tables[0], "ol") for entry in _list(ordered, name, 1)
    ]


def read_landmarks(root: Element, name: str) -> list[tuple[str, Target]]:
    """Return the types in a navigation document's landmarks with what they point at."""
    found = []
    for nav in root.iter():
        if local_name(nav) != "nav" or "landmarks" not in _types(nav):
            continue
        for link in nav.iter():
            target = resolve_reference(name, attribute(link, "href")) if _is_link(link) else None
            if target is not None:
                found += [(kind, target) for kind in _types(link)]
    return found


def read_ncx(root: Element, name: str) -> list[Entry]:
    """Return the contents in the NCX called `name`, in its own order."""
    maps = [node for node in root.iter() if local_name(node) == "navmap"]
    return list(_nav_points(maps[0], name, 1)) if maps else []


def _types(node: Element) -> list[str]:
    words = f"{attribute(node, 'type')} {attribute(node, 'role')}".lower().split()
    return [word.removeprefix("doc-") for word in words]


def _is_link(node: Element) -> bool:
    return local_name(node) == "a" and bool(attribute(node, "href"))


def _list(ordered: Element, name: str, level: int) -> Iterator[Entry]:
    if level > _MAX_LEVEL:
        return
    for item in children_named(ordered, "li"):
        label = next((node for node in item if local_name(node) in ("a", "span")), None)
        inner = [
            entry for lower in children_named(item, "ol") for entry in _list(lower, name, level + 1)
        ]
        title = _label(label) if label is not None else fold_text(item.text or "")
        href = attribute(label, "href") if label is not None else ""
        yield from _with_parent(
            title, level, resolve_reference(name, href) if href else None, inner
        )


def _nav_points(parent: Element, name: str, level: int) -> Iterator[Entry]:
    if level > _MAX_LEVEL:
        return
    for point in children_named(parent, "navpoint"):
        labels = children_named(point, "navlabel")
        content = next(iter(children_named(point, "content")), None)
        src = attribute(content, "src") if content is not None else ""
        inner = list(_nav_points(point, name, level + 1))
        title = fold_text("".join(labels[0].itertext())) if labels else ""
        yield from _with_parent(title, level, resolve_reference(name, src) if src else None, inner)


def _with_parent(
    title: str, level: int, target: Target | None, inner: list[Entry]
) -> Iterator[Entry]:
    """Yield an entry and those under it; one that points nowhere begins where they begin."""
    if target is None and inner:
        target = inner[0].target
    if title:
        yield Entry(title, level, target)
    yield from inner


def _label(node: Element) -> str:
    """Return the text of a label; a picture counts by its description."""
    text = fold_text("".join(node.itertext()))
    if text:
        return text
    pictures = [attribute(picture, "alt") for picture in node.iter()]
    return fold_text(attribute(node, "title") or " ".join(filter(None, pictures)))
