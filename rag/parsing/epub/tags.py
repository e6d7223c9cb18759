"""What elements and their attributes mean for the text of a book.

The vocabularies are XHTML and HTML, DTBook (which EPUB 2 allows), SVG and MathML by their local
names; `epub:type` (the EPUB 3 Structural Semantics Vocabulary and Z39.98) and ARIA roles of DPUB,
whose `doc-` prefix is dropped; and the classes that widely used producers write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from core.text import Matter


class TagRole(Enum):
    """How an element takes part in the text."""

    INLINE = auto()
    LINK = auto()
    BLOCK = auto()
    HEADING = auto()
    HEADING_GROUP = auto()
    QUOTE = auto()
    LIST = auto()
    LIST_ITEM = auto()
    NOTE = auto()
    VERSE = auto()
    PREFORMATTED = auto()
    CAPTION = auto()
    TABLE = auto()
    ROW = auto()
    MATH = auto()
    BREAK = auto()
    LEFT_OUT = auto()


_ROLE_TAGS = {
    TagRole.LINK: "a",
    TagRole.BLOCK: (
        "address article aside body book bodymatter center details dialog dir div docauthor "
        "dtbook epigraph fieldset figure footer foreignobject form frontmatter header hr html "
        "imggroup legend level level1 level2 level3 level4 level5 level6 main nav p prodnote "
        "rearmatter section sidebar summary tbody td text tfoot th thead"
    ),
    TagRole.HEADING: "h1 h2 h3 h4 h5 h6 hd doctitle bridgehead",
    TagRole.HEADING_GROUP: "hgroup",
    TagRole.QUOTE: "blockquote",
    TagRole.LIST: "ul ol dl menu list",
    TagRole.LIST_ITEM: "li dt dd",
    TagRole.NOTE: "note",
    TagRole.VERSE: "poem linegroup line",
    TagRole.PREFORMATTED: "pre listing xmp",
    TagRole.CAPTION: "caption figcaption",
    TagRole.TABLE: "table",
    TagRole.ROW: "tr",
    TagRole.MATH: "math",
    TagRole.BREAK: "br",
    TagRole.LEFT_OUT: (
        "head script style template noscript rt rp rtc noteref pagenum linenum "
        "audio video canvas iframe object embed applet "
        "button select textarea input datalist progress meter "
        "desc metadata defs symbol title case trigger"
    ),
}
_ROLES = {name: role for role, names in _ROLE_TAGS.items() for name in names.split()}


@lru_cache(maxsize=4096)
def tag_role(tag: str) -> TagRole:
    """Return the role of an element by its name, with or without a namespace or prefix."""
    return _ROLES.get(tag.rpartition("}")[2].rpartition(":")[2].lower(), TagRole.INLINE)


_NOTE_TYPES = frozenset({"footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes"})
_NOTE_CLASSES = frozenset({"footnote", "footnotes", "endnote", "endnotes"})
_VERSE_TYPES = frozenset({"poem", "verse", "song", "hymn", "lyrics", "stanza"})
_VERSE_CLASSES = frozenset({"poem", "poetry", "poetry-container", "verse", "stanza", "linegroup"})
_NAVIGATION_TYPES = frozenset({"page-list", "pagelist", "landmarks"})
_MARK_TYPES = frozenset({"noteref", "annoref", "referrer", "backlink"})
_PAGE_NUMBER_CLASSES = frozenset({"pagenum", "pagenumber", "page-number", "pageno", "pagebreak"})
_LICENCE_CLASSES = frozenset({"pg-boilerplate", "pgheader", "pgfooter"})

MATTER_OF_TYPE = {
    name: matter
    for matter, names in {
        Matter.FRONT: (
            "cover titlepage title-page halftitlepage halftitle-page halftitle copyright-page "
            "imprint imprimatur toc toc-brief loi lot loa lov lof seriespage keywords"
        ),
        Matter.BACK: "colophon index other-credits advertisement advertisements ads",
    }.items()
    for name in names.split()
}
"""Types of `epub:type`, landmarks and guide references that are not written for the reader."""

_DISPLAY_NONE = re.compile(r"display\s*:\s*none", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Traits:
    """What the attributes of an element say.

    Attributes:
        left_out: not part of the text at all.
        note_mark: points at a note or back from one, left out if it reads like a mark.
        page_number: a page-break marker, left out if it is as short as one.
        note: a footnote or endnote, or a list of them.
        note_class: likewise if it is a block; on inline elements the same classes mean a mark.
        verse: its lines are verse.
        rear: lies behind the body of the book.
        matter: what it belongs to, None where nothing is said.
    """

    left_out: bool = False
    note_mark: bool = False
    page_number: bool = False
    note: bool = False
    note_class: bool = False
    verse: bool = False
    rear: bool = False
    matter: Matter | None = None


PLAIN = Traits()
HIDDEN = Traits(left_out=True)


def read_traits(epub_type: str, role: str, css_class: str) -> Traits:
    """Return the traits of an element from three of its attributes, "" where one is missing."""
    types = _words(epub_type) | _words(role)
    classes = frozenset(css_class.lower().split())
    matter = next((MATTER_OF_TYPE[name] for name in sorted(types) if name in MATTER_OF_TYPE), None)
    if classes & _LICENCE_CLASSES:
        matter = Matter.LICENCE
    return Traits(
        left_out=bool(types & _NAVIGATION_TYPES),
        note_mark=bool(types & _MARK_TYPES),
        page_number="pagebreak" in types or bool(classes & _PAGE_NUMBER_CLASSES),
        note=bool(types & _NOTE_TYPES),
        note_class=bool(classes & _NOTE_CLASSES),
        verse=bool(types & _VERSE_TYPES or classes & _VERSE_CLASSES),
        rear="backmatter" in types,
        matter=matter,
    )


def is_hidden(hidden: str | None, style: str) -> bool:
    """Say whether the attributes `hidden` (None where missing) and `style` hide an element."""
    if hidden is not None and hidden.lower() != "until-found":
        return True
    return bool(style) and _DISPLAY_NONE.search(style) is not None


def _words(value: str) -> frozenset[str]:
    """Split a value of `epub:type` or `role`; the prefix of a vocabulary or of DPUB is dropped."""
    return frozenset(word.rpartition(":")[2].removeprefix("doc-") for word in value.lower().split())
