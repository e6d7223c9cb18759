"""Which blocks of a book are front or back matter or a licence, where the mark-up does not say."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from core.text import BlockKind, Matter
from rag.parsing.epub.drafts import Draft
from rag.parsing.epub.tags import MATTER_OF_TYPE

_SHORT_PAGE = 5_000
"""A page with more characters than this is never taken for a title page by its name alone."""
_LIST_LINE = 60
"""Mean characters of a line of contents or index at most; lively dialogue has more."""
_MIN_LIST = 4
"""Blocks of the shortest list that is told from text, its heading included."""

_NAMES = re.compile(
    r"(?:[a-z]{0,2}\d+[-_. ]?|[a-z]{1,2}[-_. ])?"
    r"(?:(?P<front>cover(?:page)?|title-?_?page|half-?title(?:-?page)?|copyright(?:-?_?page)?"
    r"|imprint|toc|contents|table-?_?of-?_?contents|nav|loi|lot)"
    r"|(?P<back>colophon|uncopyright|also-?_?by|ads?|advert(?:isement)?s?))\d*"
)

_HEADINGS = {
    heading: matter
    for matter, headings in {
        Matter.FRONT: (
            "contents|table of contents|copyright|copyright page|title page|titlepage|imprint|"
            "half title|list of illustrations|list of tables|inhalt|inhaltsverzeichnis|impressum|"
            "table des matières|sommaire|índice|índice general|tabla de contenido|indice|sommario|"
            "содержание|оглавление|目次|目录|目錄|版权|版权页|版權|版權頁"
        ),
        Matter.BACK: (
            "index|general index|index of names|register|colophon|uncopyright|advertisement|"
            "advertisements|also by the author|sachregister|namenregister|предметный указатель|"
            "索引|奥付"
        ),
    }.items()
    for heading in headings.split("|")
}

_GUTENBERG_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_GUTENBERG_END = re.compile(
    r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|^End of (?:the )?Project Gutenberg",
    re.IGNORECASE,
)
_GUTENBERG_HEADER_BLOCKS = 60
"""The header of Project Gutenberg is this long at most."""


def page_matter(name: str, drafts: Sequence[Draft], kinds: Sequence[str]) -> Matter | None:
    """Return the matter of a whole page, None where nothing tells.

    Args:
        name: its entry in the container.
        drafts: its blocks.
        kinds: its types in the guide or the landmarks.
    """
    length = sum(len(draft.text) for draft in drafts)
    if length <= _SHORT_PAGE or _is_list(drafts):
        headings = [draft.text for draft in drafts if draft.kind is BlockKind.HEADING]
        if len(headings) == 1 and (matter := _heading_matter(headings[0])) is not None:
            return matter
        for kind in kinds:
            if kind in MATTER_OF_TYPE:
                return MATTER_OF_TYPE[kind]
    stem = posixpath.splitext(posixpath.basename(name))[0].lower()
    if length <= _SHORT_PAGE and (match := _NAMES.fullmatch(stem)):
        return Matter.FRONT if match["front"] else Matter.BACK
    return None


def _is_list(drafts: Sequence[Draft]) -> bool:
    """Say whether a page is mostly short lines, as printed contents and indexes are."""
    return sum(len(draft.text) for draft in drafts) <= _LIST_LINE * len(drafts)


def mark_lists(drafts: Sequence[Draft]) -> None:
    """Mark contents and indexes, each from its heading to the next, wherever they stand."""
    section: list[Draft] = []
    for draft in [*drafts, None]:
        if draft is None or draft.kind is BlockKind.HEADING:
            matter = _heading_matter(section[0].text) if section else None
            if matter is not None and len(section) >= _MIN_LIST and _is_list(section):
                for entry in section:
                    if entry.matter is Matter.BODY:
                        entry.matter = matter
            section = []
        if draft is not None and (section or draft.kind is BlockKind.HEADING):
            section.append(draft)


def _heading_matter(heading: str) -> Matter | None:
    return _HEADINGS.get(heading.casefold().strip(" .:"))


def mark_licences(drafts: Sequence[Draft]) -> None:
    """Mark Project Gutenberg's header and licence, by the lines that delimit the book."""
    for index, draft in enumerate(drafts[:_GUTENBERG_HEADER_BLOCKS]):
        if _GUTENBERG_START.search(draft.text):
            for header in drafts[: index + 1]:
                header.matter = Matter.LICENCE
            break
    for index, draft in enumerate(drafts):
        if _GUTENBERG_END.search(draft.text):
            for licence in drafts[index:]:
                licence.matter = Matter.LICENCE
            break


def keep_some_body(drafts: Sequence[Draft]) -> None:
    """Make all of a book its body where nothing else would be: a lone index is the book."""
    if any(draft.matter is Matter.BODY for draft in drafts):
        return
    for draft in drafts:
        if draft.matter is not Matter.LICENCE:
            draft.matter = Matter.BODY
