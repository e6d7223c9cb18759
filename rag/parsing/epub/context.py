"""What the elements around a run of text make of it: the kind of block, the part of the book."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.text import BlockKind, Matter
from rag.parsing.epub.languages import clean_tag, same_language
from rag.parsing.epub.markup import Element, local_name
from rag.parsing.epub.tags import TagRole, Traits, tag_role

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_MAX_ROW = 2_000
"""A table row with more characters than this is layout: its cells are read as paragraphs."""
_LOWEST_HEADING = 6
_DEEPEST = 16
"""Lists and quotations that are counted; more are tags that nobody closed."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the elements around a run of text say of it.

    Attributes:
        kind: of the blocks here.
        level: of the heading, or the depth of the list or quote.
        matter: the part of the book.
        language: where it differs from the book's.
        lists: how many lists are open, `_DEEPEST` at most.
        quotes: how many block quotations are open, `_DEEPEST` at most.
        rear: behind the body of the book.
        joined: breaks and inner elements count as spaces: all of it is one block.
        preformatted: each line is a block.
    """

    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    matter: Matter = Matter.BODY
    language: str | None = None
    lists: int = 0
    quotes: int = 0
    rear: bool = False
    joined: bool = False
    preformatted: bool = False

    def inside(
        self, element: Element, role: TagRole, traits: Traits, book_language: str
    ) -> Context:
        """Return the context inside a block-level element."""
        context = self._with_kind(element, role, traits)
        tag = element.get(XML_LANG) or element.get("lang") or element.get("xml:lang")
        if tag and (tag := clean_tag(tag)):
            language = None if same_language(tag, book_language) else tag
            if language != context.language:
                context = replace(context, language=language)
        rear = self.rear or traits.rear
        matter = traits.matter or self.matter
        if rear and matter is Matter.FRONT:
            matter = Matter.BACK
        if rear != self.rear or matter is not self.matter:
            context = replace(context, rear=rear, matter=matter)
        return context

    def _with_kind(self, element: Element, role: TagRole, traits: Traits) -> Context:
        if role is TagRole.HEADING:
            level = _heading_level(element)
            return replace(self, kind=BlockKind.HEADING, level=level, joined=True)
        if role is TagRole.HEADING_GROUP:
            level = min((_heading_level(child) for child in element), default=0)
            return replace(self, kind=BlockKind.HEADING, level=min(level + 1, _LOWEST_HEADING))
        if self.kind is BlockKind.HEADING:
            return replace(self, joined=True)
        if role is TagRole.ROW and _is_plain_row(element):
            return replace(self, kind=BlockKind.TABLE_ROW, level=0, joined=True)
        if role is TagRole.CAPTION:
            return replace(self, kind=BlockKind.CAPTION, level=0)
        if role is TagRole.BLOCK and not (traits.note or traits.note_class or traits.verse):
            return self
        kind, level = self._kind_and_level(role, traits)
        return replace(
            self,
            kind=kind,
            level=level,
            lists=min(self.lists + (role is TagRole.LIST), _DEEPEST),
            quotes=min(self.quotes + (role is TagRole.QUOTE), _DEEPEST),
            preformatted=self.preformatted or role is TagRole.PREFORMATTED,
        )

    def _kind_and_level(self, role: TagRole, traits: Traits) -> tuple[BlockKind, int]:
        """Notes stay notes and verse stays verse, whatever stands inside them."""
        noted = role is TagRole.NOTE or traits.note or traits.note_class
        if noted or self.kind is BlockKind.NOTE:
            return BlockKind.NOTE, 0
        if role is TagRole.VERSE or traits.verse or self.kind is BlockKind.VERSE:
            return BlockKind.VERSE, 0
        if role is TagRole.QUOTE:
            return BlockKind.QUOTE, self.quotes
        if role is TagRole.LIST_ITEM:
            return BlockKind.LIST_ITEM, max(self.lists - 1, 0)
        if role is TagRole.PREFORMATTED:
            return BlockKind.CODE, 0
        return self.kind, self.level


def _heading_level(element: Element) -> int:
    """Return 1 to 6 for a heading, 6 for anything else."""
    name = local_name(element)
    if len(name) == 2 and name[0] == "h" and name[1] in "123456":
        return int(name[1])
    return {"doctitle": 1, "hd": 2, "bridgehead": 3}.get(name, _LOWEST_HEADING)


def _is_plain_row(row: Element) -> bool:
    """Say whether a table row is data, each cell one short piece of text, and not layout."""
    for cell in row:
        blocks = 0
        for node in cell.iterdescendants():
            role = tag_role(node.tag) if isinstance(node.tag, str) else TagRole.INLINE
            blocks += role is TagRole.BLOCK
            if blocks > 1 or role not in _IN_CELL:
                return False
    return sum(len(text) for text in row.itertext()) <= _MAX_ROW


_IN_CELL = frozenset(
    {
        TagRole.INLINE,
        TagRole.LINK,
        TagRole.BLOCK,
        TagRole.MATH,
        TagRole.BREAK,
        TagRole.LEFT_OUT,
    }
)
"""What may stand in the cells of a plain row, blocks once a cell."""


def is_next_cell(element: Element, context: Context) -> bool:
    """Say whether an element is a cell of a plain row, and not its first."""
    return (
        context.kind is BlockKind.TABLE_ROW
        and local_name(element) in ("td", "th")
        and element.getprevious() is not None
    )
