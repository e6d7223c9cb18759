"""The walk through one page of a book that turns its elements into blocks of text.

A block is a run of text between two block boundaries: the beginning or end of a block-level
element, or a line break. Left out of it are the marks that point at notes and back from them, the
readings of ruby, page numbers, hidden elements, and what is not text (scripts, media, forms,
descriptions of pictures).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.text import BlockKind, Matter, fold_text
from rag.parsing.epub.languages import clean_tag, same_language
from rag.parsing.epub.markup import Element, local_name
from rag.parsing.epub.tags import (
    PLAIN,
    TagRole,
    TagRoles,
    Traits,
    is_hidden,
    is_note_mark,
    read_traits,
)

CELL_SEPARATOR = " | "
"""What stands between the cells of a table row."""

_MAX_PAGE_NUMBER = 12
"""A page-break marker with more characters than this holds text of the book."""
_MAX_ROW = 2_000
"""A table row with more characters than this is layout: its cells are read as paragraphs."""
_MIN_VERSE_LINES = 3
_MAX_VERSE_LINE = 120
_MEAN_VERSE_LINE = 60
"""Lines broken by hand are verse if there are three or more and they are as short as verse is."""

_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TELLING = frozenset({_EPUB_TYPE, "epub:type", "role", "class", "id", "hidden", "style"})
_INLINE = frozenset({TagRole.INLINE, TagRole.LINK})
_IN_CELL = _INLINE | {TagRole.BLOCK, TagRole.SPACED, TagRole.BREAK, TagRole.LEFT_OUT}
_ROLES = TagRoles()
_FLOWING = (BlockKind.PARAGRAPH, BlockKind.QUOTE)


@dataclass(slots=True)
class Draft:
    """A block in the making; `locator` still lacks the spine index."""

    kind: BlockKind
    text: str
    locator: str
    level: int
    matter: Matter
    language: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What the elements around a run of text make of it.

    Attributes:
        kind: of the blocks here.
        level: of the heading, or the depth of the list or quote.
        matter: the part of the book.
        language: where it differs from the book's.
        lists: how many lists are open.
        quotes: how many block quotations are open.
        rear: behind the body of the book.
        joined: breaks count as spaces: one element, one block.
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


class Walker:
    """Walks the pages of one book; `walk` may be called again for the next page."""

    def __init__(self, book_language: str) -> None:
        self._book_language = book_language
        self._traits: dict[tuple[str, str, str, str], Traits] = {}
        self._begin_page()

    def _begin_page(self) -> None:
        self._drafts: list[Draft] = []
        self._anchors: dict[str, int] = {}
        self._parts: list[str] = []  # the text of the run so far
        self._block_path = ""  # of the innermost block-level element
        self._start = "/1"  # where the run began
        self._unbroken = True  # the run began with its block
        self._lines: list[Draft] = []  # blocks of this element that ended in a line break

    def walk(self, root: Element) -> tuple[list[Draft], dict[str, int]]:
        """Return the blocks of a page, and for each id on it the number of blocks before it."""
        self._begin_page()
        traits = self._read_traits(root)
        if not self._is_left_out(root, TagRole.BLOCK, traits):
            context = self._derive(Context(), root, _ROLES[root.tag], traits)
            self._mark(root)
            self._end_block(f"/{self._content(root, '', context)}", context)
        return self._drafts, self._anchors

    def _content(self, element: Element, path: str, context: Context) -> int:
        """Walk what is inside the element at `path`; return the step of its last piece of text."""
        step = 0
        passed = 0
        if element.text:
            self._text(element.text, path, 1, 0, context)
            passed = len(element.text)
        for child in element:
            if isinstance(child.tag, str):  # else an entity that nobody declares
                step += 2
                passed = 0
                self._child(child, path, step, context)
            if child.tail:
                self._text(child.tail, path, step + 1, passed, context)
                passed += len(child.tail)
        return step + 1

    def _text(self, text: str, path: str, step: int, passed: int, context: Context) -> None:
        """Add a piece of text; each line of preformatted text is a block."""
        if not context.preformatted:
            self._parts.append(text)
            return
        *lines, last = text.split("\n")
        for line in lines:
            self._parts.append(line)
            passed += len(line)
            self._flush(f"{path}/{step}:{passed}", context)
            passed += 1
            self._start, self._unbroken = f"{path}/{step}:{passed}", False
        self._parts.append(last)

    def _child(self, element: Element, parent_path: str, step: int, context: Context) -> None:
        role = _ROLES[element.tag]
        if role is TagRole.BREAK:
            self._break(parent_path, step, context)
            return
        names = element.keys()
        traits = PLAIN if _TELLING.isdisjoint(names) else self._read_traits(element)
        if self._is_left_out(element, role, traits):
            self._mark(element)
            return
        path = f"{parent_path}/{step}"
        if role in _INLINE and not (traits.note or traits.matter):
            self._mark(element)
            self._content(element, path, context)
        elif context.joined or role is TagRole.SPACED:
            self._mark(element)
            self._parts.append(CELL_SEPARATOR if _is_next_cell(element, context) else " ")
            self._content(element, path, context)
            self._parts.append(" ")
        else:
            outer_path, outer_lines = self._block_path, self._lines
            self._flush(f"{parent_path}/{step - 1}", context)
            self._mark(element)
            self._block_path, self._lines = path, []
            self._start, self._unbroken = f"{path}/1", True
            inner = self._derive(context, element, role, traits)
            self._end_block(f"{path}/{self._content(element, path, inner)}", inner)
            self._block_path, self._lines = outer_path, outer_lines
            self._start, self._unbroken = f"{parent_path}/{step + 1}", False

    def _break(self, parent_path: str, step: int, context: Context) -> None:
        if context.joined:
            self._parts.append(" ")
            return
        draft = self._flush(f"{parent_path}/{step - 1}", context)
        if draft is not None:
            self._lines.append(draft)
        self._start, self._unbroken = f"{parent_path}/{step + 1}", False

    def _end_block(self, end: str, context: Context) -> None:
        draft = self._flush(end, context, whole=self._unbroken)
        if self._lines and draft is not None:
            self._lines.append(draft)
        if _are_verse(self._lines):
            for line in self._lines:
                line.kind, line.level = BlockKind.VERSE, 0

    def _flush(self, end: str, context: Context, *, whole: bool = False) -> Draft | None:
        """Make a block of the run of text up to `end`, if there is more to it than white space."""
        text = "".join(self._parts)
        self._parts.clear()
        if not text or text.isspace() or not (text := fold_text(text)):
            return None
        base = self._block_path
        place = base if whole else f"{base},{self._start[len(base) :]},{end[len(base) :]}"
        draft = Draft(context.kind, text, place, context.level, context.matter, context.language)
        self._drafts.append(draft)
        return draft

    def _mark(self, element: Element) -> None:
        """Remember where an element that links can point at stands."""
        for name in (element.get("id"), element.get("name"), element.get(_XML_ID)):
            if name:
                self._anchors.setdefault(name.strip(), len(self._drafts))

    def _read_traits(self, element: Element) -> Traits:
        if is_hidden(element.get("hidden"), element.get("style", "")):
            return Traits(left_out=True)
        key = (
            element.get(_EPUB_TYPE) or element.get("epub:type", ""),
            element.get("role", ""),
            element.get("class", ""),
            element.get("id", ""),
        )
        if key not in self._traits:
            self._traits[key] = read_traits(*key)
        return self._traits[key]

    def _is_left_out(self, element: Element, role: TagRole, traits: Traits) -> bool:
        if role is TagRole.LEFT_OUT or traits.left_out:
            return True
        if traits.page_number:
            return sum(len(text) for text in element.itertext()) <= _MAX_PAGE_NUMBER
        if role is TagRole.LINK and (href := element.get("href")):
            return is_note_mark(href, "".join(element.itertext()))
        return False

    def _derive(self, context: Context, element: Element, role: TagRole, traits: Traits) -> Context:
        """Return the context inside a block-level element."""
        context = _with_kind(context, element, role, traits)
        tag = element.get(_XML_LANG) or element.get("lang") or element.get("xml:lang")
        if tag and (tag := clean_tag(tag)):
            language = None if same_language(tag, self._book_language) else tag
            if language != context.language:
                context = replace(context, language=language)
        rear = context.rear or traits.rear
        matter = traits.matter or context.matter
        if rear and matter is Matter.FRONT:
            matter = Matter.BACK
        if rear != context.rear or matter != context.matter:
            context = replace(context, rear=rear, matter=matter)
        return context


def _with_kind(context: Context, element: Element, role: TagRole, traits: Traits) -> Context:
    """Return the context with the kind of block that an element makes of its text."""
    if role is TagRole.HEADING:
        level = heading_level(element)
        return replace(context, kind=BlockKind.HEADING, level=level, joined=True)
    if role is TagRole.HEADING_GROUP:
        level = min((heading_level(child) for child in element), default=1)
        return replace(context, kind=BlockKind.HEADING, level=min(level + 1, 6))
    if context.kind is BlockKind.HEADING:
        return replace(context, joined=True)
    if role is TagRole.ROW and _is_plain_row(element):
        return replace(context, kind=BlockKind.TABLE_ROW, level=0, joined=True)
    if role is TagRole.CAPTION:
        return replace(context, kind=BlockKind.CAPTION, level=0)
    if role is TagRole.NOTE or traits.note or context.kind is BlockKind.NOTE:
        kind, level = BlockKind.NOTE, 0
    elif role is TagRole.VERSE or traits.verse or context.kind is BlockKind.VERSE:
        kind, level = BlockKind.VERSE, 0
    elif role is TagRole.QUOTE:
        kind, level = BlockKind.QUOTE, context.quotes
    elif role is TagRole.LIST_ITEM:
        kind, level = BlockKind.LIST_ITEM, max(context.lists - 1, 0)
    elif role is TagRole.PREFORMATTED:
        kind, level = BlockKind.CODE, 0
    else:
        kind, level = context.kind, context.level
    lists = context.lists + (role is TagRole.LIST)
    quotes = context.quotes + (role is TagRole.QUOTE)
    preformatted = context.preformatted or role is TagRole.PREFORMATTED
    changed = (kind, level, lists, quotes, preformatted)
    if changed == (
        context.kind,
        context.level,
        context.lists,
        context.quotes,
        context.preformatted,
    ):
        return context
    return replace(
        context, kind=kind, level=level, lists=lists, quotes=quotes, preformatted=preformatted
    )


def heading_level(element: Element) -> int:
    """Return 1 to 6 for a heading, 6 for anything else."""
    name = local_name(element)
    if len(name) == 2 and name[0] == "h" and name[1] in "123456":
        return int(name[1])
    return {"doctitle": 1, "hd": 2, "bridgehead": 3}.get(name, 6)


def _is_plain_row(row: Element) -> bool:
    """Say whether a table row is data, each cell one short piece of text, and not layout."""
    size = 0
    for cell in row:
        blocks = 0
        for node in cell.iterdescendants():
            role = _ROLES[node.tag] if isinstance(node.tag, str) else TagRole.INLINE
            blocks += role is TagRole.BLOCK
            if role not in _IN_CELL or blocks > 1:
                return False
        size += sum(len(text) for text in cell.itertext())
    return size <= _MAX_ROW


def _is_next_cell(element: Element, context: Context) -> bool:
    return (
        context.kind is BlockKind.TABLE_ROW
        and local_name(element) in ("td", "th")
        and element.getprevious() is not None
    )


def _are_verse(lines: list[Draft]) -> bool:
    """Say whether lines that were broken by hand look like verse."""
    if len(lines) < _MIN_VERSE_LINES or any(line.kind not in _FLOWING for line in lines):
        return False
    lengths = [len(line.text) for line in lines]
    return max(lengths) <= _MAX_VERSE_LINE and sum(lengths) / len(lengths) <= _MEAN_VERSE_LINE
