"""The Dublin Core metadata of a package, of EPUB 2 and 3 and of calibre."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from core.text import BookMetadata, fold_text
from rag.parsing.epub.languages import UNDETERMINED, clean_tag
from rag.parsing.epub.markup import Element, attribute, local_name

_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(slots=True)
class _Statements:
    """The statements of a metadata element.

    Attributes:
        dublin_core: elements such as `title` and `creator` by local name.
        named: `<meta name content>` of EPUB 2.
        refining: `<meta property refines>` of EPUB 3, by the id refined, then by property.
        properties: `<meta property>` without `refines`, as (property, text, id).
    """

    dublin_core: dict[str, list[Element]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    refining: dict[str, dict[str, str]] = field(default_factory=dict)
    properties: list[tuple[str, str, str]] = field(default_factory=list)

    def texts(self, name: str) -> list[str]:
        """The folded texts of a Dublin Core element, empty ones left out."""
        return [text for node in self.dublin_core.get(name, []) if (text := _text(node))]

    def refinement(self, node: Element, name: str) -> str:
        """What refines an element: EPUB 3's `meta`, else EPUB 2's attribute."""
        refined = self.refining.get(attribute(node, "id"), {}) if attribute(node, "id") else {}
        return refined.get(name) or attribute(node, name)


def read_metadata(metadata: Element | None) -> BookMetadata:
    """Return what a package's metadata element says; the title is "" where it names none."""
    said = _read_statements(metadata)
    series, index = _series(said)
    dates = said.dublin_core.get("date", [])
    published = [date for date in dates if attribute(date, "event") == "publication"] or dates
    languages = [tag for text in said.texts("language") if (tag := clean_tag(text))]
    return BookMetadata(
        title=_title(said),
        authors=_authors(said),
        language=languages[0] if languages else UNDETERMINED,
        publisher=next(iter(said.texts("publisher")), None),
        published=next((text for date in published if (text := _text(date))), None),
        description=_description(said),
        identifiers=tuple(said.texts("identifier")),
        subjects=tuple(dict.fromkeys(said.texts("subject"))),
        series=series,
        series_index=index,
    )


def cover_id(metadata: Element | None) -> str:
    """Return what EPUB 2's `<meta name="cover">` points at, "" where it is missing."""
    return _read_statements(metadata).named.get("cover", "")


def _read_statements(metadata: Element | None) -> _Statements:
    said = _Statements()
    for node in () if metadata is None else metadata.iter():
        name = local_name(node)
        if name != "meta":
            said.dublin_core.setdefault(name, []).append(node)
        elif attribute(node, "name"):
            said.named.setdefault(attribute(node, "name").lower(), attribute(node, "content"))
        elif attribute(node, "refines"):
            refined = said.refining.setdefault(attribute(node, "refines").lstrip("#"), {})
            refined.setdefault(attribute(node, "property"), _text(node))
        else:
            said.properties.append(
                (attribute(node, "property"), _text(node), attribute(node, "id"))
            )
    return said


def _text(node: Element) -> str:
    return fold_text("".join(node.itertext()))


def _title(said: _Statements) -> str:
    """Return the main title, else the first."""
    titles = [node for node in said.dublin_core.get("title", []) if _text(node)]
    main = [node for node in titles if said.refinement(node, "title-type") == "main"]
    return _text((main or titles)[0]) if titles else ""


def _authors(said: _Statements) -> tuple[str, ...]:
    """Return the creators in the role of author, else all of them, in the order of the book."""
    creators = [node for node in said.dublin_core.get("creator", []) if _text(node)]
    creators.sort(key=_sequence(said))
    authors = [node for node in creators if said.refinement(node, "role") in ("aut", "")]
    return tuple(dict.fromkeys(_text(node) for node in authors or creators))


def _sequence(said: _Statements) -> Callable[[Element], float]:
    return lambda node: _number(said.refinement(node, "display-seq")) or float("inf")


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", text) else None


def _description(said: _Statements) -> str | None:
    """Return the first description as plain text; it often holds escaped HTML."""
    return next(
        (text for raw in said.texts("description") if (text := fold_text(_MARKUP.sub(" ", raw)))),
        None,
    )


def _series(said: _Statements) -> tuple[str | None, float | None]:
    """Return the series and the place in it, as EPUB 3 or calibre write them."""
    for name, text, element_id in said.properties:
        refined = said.refining.get(element_id, {}) if element_id else {}
        if name == "belongs-to-collection" and refined.get("collection-type", "series") == "series":
            return text or None, _number(refined.get("group-position", ""))
    series = fold_text(said.named.get("calibre:series", ""))
    return series or None, _number(said.named.get("calibre:series_index", "")) if series else None
