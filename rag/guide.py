"""The user guide as an EPUB, made from the Markdown files in `resources/guide`.

The same files make the same bytes on every machine and at every time, so that adding the guide
twice is adding one book.
"""

from __future__ import annotations

import os
import re
import zipfile
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebooklib import epub

GUIDE_TITLE = "Postil: The Reader’s Guide"
_IDENTIFIER = "urn:uuid:6f0a1b52-8f4e-4c0e-9a53-7d1c5f2b8e11"
_ISSUED = datetime(2026, 1, 1, tzinfo=UTC)
_STYLESHEET = "guide.css"


def build_guide(target: Path) -> Path:
    """Write the guide to `target`, whole or not at all, and return it.

    Raises:
        OSError: the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    unfinished.write_bytes(_guide_bytes())
    unfinished.replace(target)
    return target


def _guide_bytes() -> bytes:
    from ebooklib import epub

    written = BytesIO()
    epub.write_epub(written, _book(), {"mtime": _ISSUED, "raise_exceptions": True})
    return _timeless(written)


def _timeless(archive: BytesIO) -> bytes:
    """Copy a zip archive without the times of writing, and without compression.

    Both differ from run to run or from one version of zlib to the next.
    """
    copied = BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(copied, "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, _ISSUED.timetuple()[:6]), source.read(name))
    return copied.getvalue()


def _book() -> epub.EpubBook:
    from ebooklib import epub

    book = epub.EpubBook()
    book.set_identifier(_IDENTIFIER)
    book.set_title(GUIDE_TITLE)
    book.set_language("en")
    book.add_author("The Postil authors")
    book.add_metadata("DC", "rights", "AGPL-3.0-or-later")
    folder = files("resources") / "guide"
    book.set_cover("cover.png", (folder / "cover.png").read_bytes(), create_page=False)
    style = (folder / _STYLESHEET).read_bytes()
    book.add_item(epub.EpubItem("style", _STYLESHEET, "text/css", style))
    pages = sorted((page for page in folder.iterdir() if page.name.endswith(".md")), key=str)
    chapters = [_GuideChapter(page.name, page.read_text(encoding="utf-8")) for page in pages]
    items = [chapter.item() for chapter in chapters]
    for item in (*items, epub.EpubNcx(), epub.EpubNav()):
        book.add_item(item)
    book.toc = [chapter.contents() for chapter in chapters]
    book.spine = [*items]
    return book


class _GuideChapter:
    """One Markdown file: a first-level heading, and below it text with second-level headings."""

    def __init__(self, name: str, text: str) -> None:
        from markdown_it import MarkdownIt

        self._stem = name.removesuffix(".md")
        self._file_name = f"{self._stem}.xhtml"
        self._markdown = MarkdownIt("commonmark", {"xhtmlOut": True}).enable("table")
        self._tokens = self._markdown.parse(text)
        (self._title,) = self._headings("h1")
        self._sections = self._headings("h2")

    def item(self) -> epub.EpubHtml:
        """Return the chapter as a document of the book."""
        from ebooklib import epub

        item = epub.EpubHtml(title=self._title, file_name=self._file_name, lang="en")
        item.content = self._markdown.renderer.render(self._tokens, self._markdown.options, {})
        item.add_link(href=_STYLESHEET, rel="stylesheet", type="text/css")
        return item

    def contents(self) -> tuple[epub.Section, list[epub.Link]] | epub.Link:
        """Return the chapter's entry in the table of contents, with its sections under it."""
        from ebooklib import epub

        if not self._sections:
            return epub.Link(self._file_name, self._title, self._stem)
        links = [
            epub.Link(
                f"{self._file_name}#{_anchor(title)}", title, f"{self._stem}-{_anchor(title)}"
            )
            for title in self._sections
        ]
        return epub.Section(self._title, self._file_name), links

    def _headings(self, tag: str) -> list[str]:
        """Return the headings of one rank, and give each its anchor."""
        found = []
        for opening, content in pairwise(self._tokens):
            if opening.type == "heading_open" and opening.tag == tag:
                opening.attrSet("id", _anchor(content.content))
                found.append(content.content)
        return found


def _anchor(heading: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", heading.casefold()))
