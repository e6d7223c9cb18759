"""The pages of a book read one after the other into blocks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import BadBookError, DamagedBookError, OversizedBookError
from core.text import Matter
from rag.parsing.epub.archive import Archive, Target
from rag.parsing.epub.chapters import Place
from rag.parsing.epub.drafts import Draft
from rag.parsing.epub.markup import parse_page
from rag.parsing.epub.matter import mark_lists, page_matter
from rag.parsing.epub.package import Page, count_pages
from rag.parsing.epub.walker import Walker

log = logging.getLogger(__name__)

MAX_CHARACTERS = 60_000_000
"""Ten times the longest epic; more is not a book."""


@dataclass(slots=True)
class Reading:
    """The blocks of a book and where its pages and their ids stand in them.

    Attributes:
        drafts: the blocks in reading order.
        first: for each page read, the number of blocks before it.
        anchors: for each page read, the number of its own blocks before each of its ids.
        textless: the pages read that hold no text.
        unreadable: the pages that are damaged or no pages at all.
        cut_short: the pages read whose end is nested too deeply to be read.
    """

    drafts: list[Draft] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)
    anchors: dict[str, dict[str, int]] = field(default_factory=dict)
    textless: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    cut_short: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What was wrong with the pages and was survived."""
        told = []
        if self.unreadable:
            told.append(
                f"{count_pages(self.unreadable)} cannot be read and is missing from the text."
            )
        if self.cut_short:
            told.append(
                f"{count_pages(self.cut_short)} could be read only in part: the mark-up is nested "
                "too deeply, as when tags are never closed."
            )
        return told

    def find(self, name: str, fragment: str) -> Place | None:
        """Return where a page, or an id on it, stands; None where either is missing."""
        if name not in self.first:
            return None
        anchors = self.anchors[name]
        if fragment and fragment not in anchors:
            return None
        ordinal = self.first[name] + anchors.get(fragment, 0)
        return Place(ordinal, has_text=name not in self.textless)


def read_pages(
    archive: Archive,
    pages: Sequence[Page],
    language: str,
    landmarks: Sequence[tuple[str, Target]],
) -> Reading:
    """Read all pages that can be read.

    Args:
        archive: the container.
        pages: the spine in reading order.
        language: the book's, as a clean BCP 47 tag or "und".
        landmarks: types of the guide and the landmarks with what they point at.

    Raises DamagedBookError where no page can be read, OversizedBookError past `MAX_CHARACTERS`.
    """
    reading = Reading()
    walker = Walker(language)
    kinds = _page_kinds(archive, landmarks)
    characters = 0
    for page in pages:
        drafts = _read_page(archive, page, walker, reading)
        mark_lists(drafts)
        matter = page_matter(page.name, drafts, kinds.get(page.name, []))
        for draft in drafts:
            draft.locator = f"{page.spine_index}:{draft.locator}"
            if matter is not None and draft.matter is Matter.BODY:
                draft.matter = matter
        reading.drafts += drafts
        characters += sum(len(draft.text) for draft in drafts)
        if characters > MAX_CHARACTERS:
            raise OversizedBookError(
                f"The book holds more than {MAX_CHARACTERS:,} characters; it was not read."
            )
    if not reading.first:
        raise DamagedBookError("No page of the EPUB can be read; try to get the file again.")
    return reading


def _read_page(archive: Archive, page: Page, walker: Walker, reading: Reading) -> list[Draft]:
    try:
        root, is_cut_short = parse_page(archive.read(page.name))
        walked = None if root is None else walker.walk(root)
    except DamagedBookError:
        walked = None
    except (BadBookError, MemoryError):
        raise
    except Exception:  # what nobody thought of must not cost the reader the rest of the book
        log.exception("The page %s cannot be read", page.name)
        walked = None
    if walked is None:
        reading.unreadable.append(page.name)
        return []
    drafts, anchors = walked
    if is_cut_short:
        reading.cut_short.append(page.name)
    reading.first[page.name] = len(reading.drafts)
    reading.anchors[page.name] = anchors
    if not drafts:
        reading.textless.add(page.name)
    return drafts


def _page_kinds(archive: Archive, landmarks: Sequence[tuple[str, Target]]) -> dict[str, list[str]]:
    """Return the types of whole pages; a landmark inside a page says nothing of all of it."""
    kinds: dict[str, list[str]] = {}
    for kind, target in landmarks:
        name = archive.find(target.name)
        if name is not None and not target.fragment:
            kinds.setdefault(name, []).append(kind)
    return kinds
