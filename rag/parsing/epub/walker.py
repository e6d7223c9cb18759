"""The walk through one page of a book that turns its elements into blocks of text.

A block is a run of text between two block boundaries: the beginning or end of a block-level
element, or a line break. Left out of it are the marks that point at notes and back from them, the
readings of ruby, page numbers, hidden elements, and what is not text (scripts, media, forms,
descriptions of pictures).
"""

from __future__ import annotations

from dataclasses import dataclass

from core.text import BlockKind, Matter, fold_text
from rag.parsing.epub.context import Context, is_next_cell
from rag.parsing.epub.marks import is_declared_mark, is_likely_mark, is_page_number
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

_MIN_VERSE_LINES = 3
_MAX_VERSE_LINE = 120
_MEAN_VERSE_LINE = 60
"""Lines broken by hand are verse if there are three or more and they are as short as verse is."""

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


class Walker:
    """Walks the pages of one book; `walk` may be called again for the next page."""

    def __init__(self, book_language: str) -> None:
        self._book_language = book_language
        self._traits: dict[tuple[str, str, str], Traits] = {}
        self._begin_page()

    def _begin_page(self) -> None:
        self._drafts: list[Draft] = []
        self._anchors: dict[str, int] = {}
        self._parts: list[str] = []  # the text of the run so far
        self._marks = 0  # notes' marks left out of it
        self._block_path = ""  # of the innermost block-level element
        self._start = "/1"  # where the run began
        self._unbroken = True  # the run began with its block
        self._lines: list[Draft] = []  # blocks of this element that ended in a line break

    def walk(self, root: Element) -> tuple[list[Draft], dict[str, int]]:
        """Return the blocks of a page, and for each id on it the number of blocks before it."""
        self._begin_page()
        traits = self._read_traits(root)
        if not self._is_left_out(root, TagRole.BLOCK, traits):
            context = Context().inside(root, tag_role(root.tag), traits, self._book_language)
            self._mark(root)
            self._end_block(f"/{self._content(root, '', context)}", context)
        return self._drafts, self._anchors

    def _content(self, element: Element, path: str, context: Context) -> int:
        """Walk what is inside the element at `path`; return the step of its last piece of text."""
        step = 0
        passed = 0
        text = element.text  # every access decodes it anew
        if text:
            self._text(text, path, 1, 0, context)
            passed = len(text)
        for child in element:
            tag = child.tag
            if isinstance(tag, str):  # else an entity that nobody declares
                step += 2
                passed = 0
                role, traits = self._classify(child, tag)
                if role is TagRole.INLINE:
                    self._content(child, f"{path}/{step}", context)
                elif role is TagRole.BREAK:
                    self._break(path, step, context)
                elif role is TagRole.MATH:
                    self._parts.append(" ".join(child.itertext(*_MATH_TOKENS)))
                elif role is not TagRole.LEFT_OUT:
                    self._block(child, role, traits, path, step, context)
            text = child.tail
            if text:
                self._text(text, path, step + 1, passed, context)
                passed += len(text)
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

    def _block(
        self,
        element: Element,
        role: TagRole,
        traits: Traits,
        parent_path: str,
        step: int,
        context: Context,
    ) -> None:
        """Walk a block-level element: what came before it is a block, and what is inside it."""
        path = f"{parent_path}/{step}"
        if context.joined:
            self._mark(element)
            self._parts.append(CELL_SEPARATOR if is_next_cell(element, context) else " ")
            self._content(element, path, context)
            self._parts.append(" ")
            return
        outer_path, outer_lines = self._block_path, self._lines
        self._flush(f"{parent_path}/{step - 1}", context)
        self._mark(element)
        self._block_path, self._lines = path, []
        self._start, self._unbroken = f"{path}/1", True
        inner = context.inside(element, role, traits, self._book_language)
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
        if self._marks:  # brackets around a mark go with it
            text = text.replace("[]", "").replace("()", "")
            self._marks = 0
        if not text or text.isspace() or not (text := fold_text(text)).strip(_INVISIBLE):
            return None
        base = self._block_path
        place = base if whole else f"{base},{self._start[len(base) :]},{end[len(base) :]}"
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
        if traits.page_number and is_page_number("".join(element.itertext())):
            return True
        if traits.note_mark:
            is_mark = is_declared_mark("".join(element.itertext()))
        elif role is TagRole.LINK and (href := element.get("href")):
            is_mark = is_likely_mark("".join(element.itertext()), href)
        else:
            is_mark = False
        self._marks += is_mark
        return is_mark


def _are_verse(lines: list[Draft]) -> bool:
    """Say whether lines that were broken by hand look like verse."""
    if len(lines) < _MIN_VERSE_LINES or any(line.kind not in _FLOWING for line in lines):
        return False
    lengths = [len(line.text) for line in lines]
    return max(lengths) <= _MAX_VERSE_LINE and sum(lengths) / len(lengths) <= _MEAN_VERSE_LINE
