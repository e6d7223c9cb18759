"""The walk through one page of a book that turns its elements into blocks of text.

A block is a run of text between two block boundaries: the beginning or end of a block-level
element, or a line break. Left out of it are the marks that point at notes and back from them, the
readings of ruby, page numbers, hidden elements, and what is not text (scripts, media, forms,
descriptions of pictures).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import OversizedBookError
from core.text import BlockKind, fold_text
from rag.parsing.epub.context import Context, is_next_cell
from rag.parsing.epub.drafts import Draft, are_verse
from rag.parsing.epub.marks import is_declared_mark, is_likely_mark, is_page_number, label_of
from rag.parsing.epub.markup import Element
from rag.parsing.epub.tags import (
    HIDDEN,
    PLAIN,
    TagRole,
    Traits,
    is_hidden,
    read_traits,
    tag_role,
)

CELL_SEPARATOR = " | "
"""What stands between the cells of a table row."""

MAX_LOCATORS = 100_000_000
"""Characters in the locators of one page; a page of a real book has some 100,000."""

_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_ANCHORS = ("id", "name", _XML_ID)
_TELLING = frozenset({_EPUB_TYPE, "epub:type", "role", "class", "hidden", "style", *_ANCHORS})
"""Attributes that say something about an element; looking for any of them at once is quick."""

_MATH_TOKENS = ("{*}mi", "{*}mn", "{*}mo", "{*}ms", "{*}mtext")
"""Elements of MathML that hold what is seen; annotations repeat it in another notation."""
_UNBOXED = (TagRole.INLINE, TagRole.BREAK, TagRole.MATH, TagRole.LEFT_OUT)
"""Roles of elements that do not end the block before them."""
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
"""Characters that keep a spacer from being empty."""


@dataclass(slots=True)
class _Open:
    """An element whose end is still to come.

    Attributes:
        element: itself.
        path: the steps to it from the root.
        context: of the text inside it.
        outer: the path and the broken lines of the block around a block-level element.
        spaced: a block-level element inside joined text, which a space ends.
        children: those still to be walked.
        step: of the last child that was an element.
        passed: code points of preformatted text since that child.
    """

    element: Element
    path: str
    context: Context
    outer: tuple[str, list[Draft]] | None = None
    spaced: bool = False
    children: Iterator[Element] = field(init=False)
    step: int = 0
    passed: int = 0

    def __post_init__(self) -> None:
        self.children = iter(self.element)


class Walker:
    """Walks the pages of one book; `walk` may be called again for the next page."""

    def __init__(self, book_language: str) -> None:
        self._book_language = book_language
        self._traits: dict[tuple[str, str, str], Traits] = {}
        self._begin_page()

    def _begin_page(self) -> None:
        self._drafts: list[Draft] = []
        self._anchors: dict[str, int] = {}
        self._locators = 0  # their characters
        self._parts: list[str] = []  # the text of the run so far
        self._marks = 0  # notes' marks left out of it
        self._block_path = ""  # of the innermost block-level element
        self._start = "/1"  # where the run began
        self._unbroken = True  # the run began with its block
        self._lines: list[Draft] = []  # blocks of this element that ended in a line break

    def walk(self, root: Element) -> tuple[list[Draft], dict[str, int]]:
        """Return the blocks of a page, and for each id on it the number of blocks before it.

        Raises OversizedBookError past `MAX_LOCATORS`.
        """
        self._begin_page()
        traits = self._read_traits(root)
        if not self._is_left_out(root, TagRole.BLOCK, traits):
            context = Context().inside(root, tag_role(root.tag), traits, self._book_language)
            self._mark(root)
            self._content(_Open(root, "", context, outer=("", [])))
        return self._drafts, self._anchors

    def _content(self, root: _Open) -> None:
        """Walk what is inside the root, on a stack of its own: elements nest deeper than calls."""
        self._text(root.element.text, root)
        stack = [root]
        while stack:
            node = stack[-1]
            for child in node.children:
                tag = child.tag
                if isinstance(tag, str):  # else an entity that nobody declares
                    node.step += 2
                    node.passed = 0
                    inner = self._enter(child, tag, node)
                    if inner is not None:
                        self._text(child.text, inner)
                        stack.append(inner)
                        break
                self._text(child.tail, node)
            else:
                stack.pop()
                self._leave(node)
                if stack:
                    self._resume(stack[-1], node)

    def _enter(self, element: Element, tag: str, parent: _Open) -> _Open | None:
        """Begin an element at the step of its parent; None where nothing inside it is walked."""
        role, traits = self._classify(element, tag)
        if role is TagRole.INLINE:
            return _Open(element, f"{parent.path}/{parent.step}", parent.context)
        if role is TagRole.BREAK:
            self._break(parent)
        elif role is TagRole.MATH:
            self._parts.append(" ".join(element.itertext(*_MATH_TOKENS)))
        elif role is not TagRole.LEFT_OUT:
            return self._enter_block(element, role, traits, parent)
        return None

    def _enter_block(self, element: Element, role: TagRole, traits: Traits, parent: _Open) -> _Open:
        """Begin a block-level element: what came before it is a block, unless all is joined."""
        context = parent.context
        path = f"{parent.path}/{parent.step}"
        if context.joined:
            self._mark(element)
            self._parts.append(CELL_SEPARATOR if is_next_cell(element, context) else " ")
            return _Open(element, path, context, spaced=True)
        self._flush(f"{parent.path}/{parent.step - 1}", context)
        self._mark(element)
        inner = context.inside(element, role, traits, self._book_language)
        node = _Open(element, path, inner, outer=(self._block_path, self._lines))
        self._block_path, self._lines = path, []
        self._start, self._unbroken = f"{path}/1", True
        return node

    def _leave(self, node: _Open) -> None:
        """End an element; the text inside a block-level one is a block."""
        if node.outer is not None:
            self._end_block(f"{node.path}/{node.step + 1}", node.context)
            self._block_path, self._lines = node.outer
        elif node.spaced:
            self._parts.append(" ")

    def _resume(self, parent: _Open, node: _Open) -> None:
        """Go on behind an element that has ended."""
        if node.outer is not None:
            self._start, self._unbroken = f"{parent.path}/{parent.step + 1}", False
        self._text(node.element.tail, parent)

    def _text(self, text: str | None, node: _Open) -> None:
        """Add a piece of text; each line of preformatted text is a block."""
        if not text:
            return
        if not node.context.preformatted:
            self._parts.append(text)
            return
        step = f"{node.path}/{node.step + 1}"
        *lines, last = text.split("\n")
        for line in lines:
            self._parts.append(line)
            node.passed += len(line)
            self._flush(f"{step}:{node.passed}", node.context)
            node.passed += 1
            self._start, self._unbroken = f"{step}:{node.passed}", False
        self._parts.append(last)
        node.passed += len(last)

    def _classify(self, element: Element, tag: str) -> tuple[TagRole, Traits]:
        """Return how an element takes part in the text, links being inline like others."""
        role = tag_role(tag)
        if _TELLING.isdisjoint(element.keys()):
            traits = PLAIN
            if role is TagRole.INLINE or role is TagRole.BREAK:
                return role, traits  # most elements by far, and nothing to find out
        else:
            traits = self._read_traits(element)
            if traits.note and role is TagRole.INLINE:
                role = TagRole.BLOCK  # a note in the middle of its paragraph
        if self._is_left_out(element, role, traits):
            role = TagRole.LEFT_OUT
        elif role is TagRole.LINK:
            role = TagRole.INLINE
        if role in _UNBOXED:
            self._mark(element)
        return role, traits

    def _break(self, parent: _Open) -> None:
        if parent.context.joined:
            self._parts.append(" ")
            return
        draft = self._flush(f"{parent.path}/{parent.step - 1}", parent.context)
        if draft is not None:
            self._lines.append(draft)
        self._start, self._unbroken = f"{parent.path}/{parent.step + 1}", False

    def _end_block(self, end: str, context: Context) -> None:
        draft = self._flush(end, context, whole=self._unbroken)
        if self._lines and draft is not None:
            self._lines.append(draft)
        if are_verse(self._lines):
            for line in self._lines:
                line.kind, line.level = BlockKind.VERSE, 0

    def _flush(self, end: str, context: Context, *, whole: bool = False) -> Draft | None:
        """Make a block of the run of text up to `end`, if there is more to it than white space."""
        text = "".join(self._parts)
        self._parts.clear()
        if self._marks:  # brackets around a mark go with it
            text = text.replace("[]", "").replace("()", "")
            self._marks = 0
        if not text or text.isspace() or not (text := fold_text(text)).strip(_INVISIBLE):
            return None
        base = self._block_path
        place = base if whole else f"{base},{self._start[len(base) :]},{end[len(base) :]}"
        self._locators += len(place)
        if self._locators > MAX_LOCATORS:
            raise OversizedBookError(
                "A page of the book is nested too deeply too often; the book was not read."
            )
        draft = Draft(context.kind, text, place, context.level, context.matter, context.language)
        self._drafts.append(draft)
        return draft

    def _mark(self, element: Element) -> None:
        """Remember where an element that links can point at stands."""
        for attribute in _ANCHORS:
            if name := element.get(attribute):
                self._anchors.setdefault(name.strip(), len(self._drafts))

    def _read_traits(self, element: Element) -> Traits:
        if is_hidden(element.get("hidden"), element.get("style", "")):
            return HIDDEN
        key = (
            element.get(_EPUB_TYPE) or element.get("epub:type", ""),
            element.get("role", ""),
            element.get("class", ""),
        )
        traits = self._traits.get(key)
        if traits is None:
            traits = self._traits[key] = read_traits(*key)
        return traits

    def _is_left_out(self, element: Element, role: TagRole, traits: Traits) -> bool:
        if role is TagRole.LEFT_OUT or traits.left_out:
            return True
        if traits.page_number and is_page_number(label_of(element)):
            return True
        if traits.note_mark:
            is_mark = is_declared_mark(label_of(element))
        elif role is TagRole.LINK and (href := element.get("href")):
            is_mark = is_likely_mark(label_of(element), href)
        else:
            is_mark = False
        self._marks += is_mark
        return is_mark
