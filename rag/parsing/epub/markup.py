"""Bytes of a page or package file turned into an element tree, however badly they are made."""

from __future__ import annotations

import codecs
import html.entities
import re
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from core.errors import OversizedBookError
from rag.parsing.text_codecs import text_codec

# lxml ships no types; a tree is walked through its documented ElementTree interface.
Element = Any
Parser = Any

MAX_TAGS = 2_000_000
"""Their tree takes some 300 MB; a chapter of verse has 5,000."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?\s*([A-Za-z][\w.:-]*)""")
_DECLARATION_BYTES = 1024
# Their bytes are all ASCII, so they would pass for UTF-8.
_SEVEN_BIT = ("iso2022", "hz", "utf-7")
_NAMED_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
# Halves of characters, as UTF-16 writes them. No text may hold one, but hasty exporters write both.
_SURROGATES = re.compile(
    r"(?:&#(?:[xX]0*[dD][89a-fA-F][0-9a-fA-F]{2}(?![0-9a-fA-F])"
    r"|0*(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3])(?!\d));?)+"
)
_NUMBER = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|(\d+))")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MISDECODED_SHARE = 0.005
"""Up to this share of bytes that are not UTF-8, a page is UTF-8 with damage, not another code."""
_KEPT_SHARE = 0.98
"""Read as HTML, `<br>` and `<meta>` do not swallow what follows, as in recovered XML; so HTML is
better unless it keeps less than this share of the text."""


class Markup(NamedTuple):
    """A page as a tree: its root, None where there is no mark-up, and whether its end is missing.

    It is missing where elements are nested deeper than libxml2 goes, 2,048 levels.
    """

    root: Element | None
    is_cut_short: bool


def parse_markup(data: bytes) -> Element | None:
    """Return the root element of `parse_page`."""
    return parse_page(data).root


def parse_page(data: bytes) -> Markup:
    """Parse a page, or any other mark-up file of a book.

    Well-formed XML keeps its tree exactly. A broken page is read as HTML, or recovered as XML where
    that saves more of its text. No entity is ever fetched; entities that a page declares itself are
    resolved, and the names of HTML always are. Raises OversizedBookError for an entity bomb and for
    more than `MAX_TAGS` tags.
    """
    from lxml import etree

    if data.count(b"<") > MAX_TAGS:
        raise OversizedBookError(
            f"A page of the book holds more than {MAX_TAGS:,} tags; the book was not read."
        )
    text = _SURROGATES.sub(_join_surrogates, decode_markup(data))
    source = _resolve_named_entities(text).encode("utf-8", "replace")
    parser = _xml_parser(source, recover=False)
    try:
        return Markup(etree.fromstring(source, parser), is_cut_short=False)
    except etree.XMLSyntaxError:
        _refuse_bomb(parser)
    return _recover(source)


def _recover(source: bytes) -> Markup:
    from lxml import etree

    source = _FORBIDDEN.sub("", source.decode("utf-8")).encode("utf-8")
    parser = _xml_parser(source, recover=True)
    try:
        xml_root = etree.fromstring(source, parser)
    except etree.XMLSyntaxError:
        xml_root = None
    _refuse_bomb(parser)
    as_xml = Markup(xml_root, _met_a_limit(parser))
    if xml_root is not None and (local_name(xml_root) != "html" or b"<!ENTITY" in source):
        return as_xml  # what is no page is no HTML, which would also show the declarations
    html_parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    html_root = etree.fromstring(source, html_parser)
    if html_root is None or _text_length(html_root) < _KEPT_SHARE * _text_length(xml_root):
        return as_xml
    return Markup(html_root, _met_a_limit(html_parser))


def _xml_parser(source: bytes, *, recover: bool) -> Parser:
    from lxml import etree

    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        resolve_entities="internal",
        no_network=True,
        load_dtd=False,
        # Depth 2,048 instead of 256, but no guard against entity bombs.
        huge_tree=b"<!ENTITY" not in source,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
    )


def _refuse_bomb(parser: Parser) -> None:
    """Tell an entity bomb, which libxml2 stops, from what else it stops, such as deep nesting."""
    if any(
        entry.type_name == "ERR_RESOURCE_LIMIT" and "entity" in entry.message.lower()
        for entry in parser.error_log
    ):
        raise OversizedBookError(
            "A page of the book unfolds without end (an entity bomb); the book was not read."
        )


def _met_a_limit(parser: Parser) -> bool:
    return any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _text_length(root: Element | None) -> int:
    return 0 if root is None else sum(len(text) for text in root.itertext())


def decode_markup(data: bytes) -> str:
    """Decode a page by its byte order mark, as UTF-8, as it declares, or as its bytes suggest."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    declared = _declared_encoding(data)
    candidates = ["utf-8", declared]
    if declared.startswith(_SEVEN_BIT):
        candidates.reverse()
    for encoding in candidates:
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    return _decode_damaged(data)


def _declared_encoding(data: bytes) -> str:
    match = _DECLARED.search(data, 0, _DECLARATION_BYTES)
    declared = text_codec(match.group(1).decode("ascii")) if match else None
    # Browsers read "Latin-1" as its Windows superset, and so do those who write it.
    return "cp1252" if declared in ("iso8859-1", "ascii") else declared or "utf-8"


def _decode_damaged(data: bytes) -> str:
    from charset_normalizer import from_bytes

    damaged = data.decode("utf-8", "replace")
    if damaged.count("\ufffd") > _MISDECODED_SHARE * len(data):
        best = from_bytes(data).best()
        if best is not None:
            return str(best)
    return damaged


def _join_surrogates(match: re.Match[str]) -> str:
    """Return the characters of references to surrogates; one without its other half is U+FFFD."""
    halves = (
        chr(int(number[1], 16) if number[1] else int(number[2]))
        for number in _NUMBER.finditer(match.group())
    )
    units = "".join(halves).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def _resolve_named_entities(text: str) -> str:
    return _NAMED_ENTITY.sub(_named_entity, text) if "&" in text else text


def _named_entity(match: re.Match[str]) -> str:
    name = match.group(1)
    character = html.entities.html5.get(name + ";")
    if name in _XML_ENTITIES or character is None:
        return match.group()
    return escape(character)


def local_name(element: Element) -> str:
    """Return an element's name without its namespace, in lower case; "" for what is no element."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def attribute(element: Element, name: str) -> str:
    """Return the attribute `name`, whatever its namespace or prefix, stripped; "" where missing."""
    for key, value in element.items():
        if key.rpartition("}")[2].rpartition(":")[2] == name:
            return str(value).strip()
    return ""


def children_named(element: Element, name: str) -> list[Element]:
    """Return the child elements of a local name."""
    return [child for child in element if local_name(child) == name]


def first_named(element: Element, name: str) -> Element | None:
    """Return the first element of a local name at or below `element`, or None."""
    return next((node for node in element.iter() if local_name(node) == name), None)
