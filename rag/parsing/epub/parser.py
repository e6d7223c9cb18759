"""From the file of an EPUB to the book: the one reading path for EPUB 2 and 3."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from core.errors import DamagedBookError, EmptyBookError
from core.text import Block, BlockKind, BookMetadata, Matter, ParsedBook
from rag.parsing.epub.archive import Archive, Target, open_archive
from rag.parsing.epub.chapters import Finder, Place, choose_chapters
from rag.parsing.epub.contents import Entry, read_landmarks, read_navigation, read_ncx
from rag.parsing.epub.cover import read_cover
from rag.parsing.epub.drafts import Draft
from rag.parsing.epub.languages import UNDETERMINED
from rag.parsing.epub.markup import Element, parse_markup
from rag.parsing.epub.matter import keep_some_body, mark_licences
from rag.parsing.epub.metadata import read_metadata
from rag.parsing.epub.package import Package, read_package
from rag.parsing.epub.pages import Reading, read_pages
from rag.parsing.epub.protection import refuse_protected

PARSER_VERSION = "epub/2"
"""Stored with the text; it grows whenever the same file would give another text."""

_UNTITLED = "Untitled"


def parse_epub(path: Path) -> ParsedBook:
    """Read the EPUB 2 or 3 at `path`.

    A book that names no title is called by its first heading, else "Untitled". A book without text
    (pictures only) has one block, its title, with the locator of its first page.

    Raises UnknownFormatError for what is no zip, DamagedBookError where no page can be read,
    ProtectedBookError for copy protection, OversizedBookError for bombs, and EmptyBookError where
    there is neither text nor title.
    """
    with open_archive(path) as archive:
        package = read_package(archive)
        refuse_protected(archive, (page.name for page in package.pages))
        metadata = read_metadata(package.metadata)
        tables, landmarks = _read_contents(archive, package)
        reading = read_pages(
            archive, package.pages, metadata.language, [*package.guide, *landmarks]
        )
        cover = read_cover(archive, package)
        warnings = [*package.warnings, *reading.warnings]
        if archive.salvaged:
            warnings.append("The file is damaged or cut short; this is what could be saved of it.")
        if not reading.drafts:
            reading.drafts.append(_title_alone(metadata, package))
            warnings.append("The book holds no text, only its title; its pages may be pictures.")
        mark_licences(reading.drafts)
        keep_some_body(reading.drafts)
        metadata = _complete(metadata, reading.drafts)
        blocks = tuple(_block(draft) for draft in reading.drafts)
        return ParsedBook(
            metadata=metadata,
            blocks=blocks,
            chapters=choose_chapters(tables, blocks, _finder(archive, reading)),
            format="epub",
            parser_version=PARSER_VERSION,
            cover=cover,
            warnings=tuple(warnings),
        )


def _read_contents(
    archive: Archive, package: Package
) -> tuple[list[list[Entry]], list[tuple[str, Target]]]:
    """Return the tables of contents, the better first, and the landmarks."""
    tables: list[list[Entry]] = []
    landmarks: list[tuple[str, Target]] = []
    navigation = package.item_with("nav")
    if navigation is not None and (root := _read_root(archive, navigation.name)) is not None:
        tables.append(read_navigation(root, str(navigation.name)))
        landmarks = read_landmarks(root, str(navigation.name))
    if (root := _read_root(archive, package.ncx)) is not None:
        tables.append(read_ncx(root, str(package.ncx)))
    return tables, landmarks


def _read_root(archive: Archive, name: str | None) -> Element | None:
    if name is None:
        return None
    try:
        return parse_markup(archive.read(name))
    except DamagedBookError:
        return None  # the contents fall back to the next table, and last to the headings


def _finder(archive: Archive, reading: Reading) -> Finder:
    def find(target: Target) -> Place | None:
        name = archive.find(target.name)
        return None if name is None else reading.find(name, target.fragment)

    return find


def _title_alone(metadata: BookMetadata, package: Package) -> Draft:
    if not metadata.title:
        raise EmptyBookError(
            "The EPUB holds no text and no title; its pages may be pictures, which cannot be "
            "searched."
        )
    return Draft(
        BlockKind.HEADING, metadata.title, f"{package.pages[0].spine_index}:", 1, Matter.BODY, None
    )


def _complete(metadata: BookMetadata, drafts: list[Draft]) -> BookMetadata:
    """Fill in a missing title from the first heading and a missing language from the pages."""
    if not metadata.title:
        heading = next((draft.text for draft in drafts if draft.kind is BlockKind.HEADING), "")
        metadata = replace(metadata, title=heading or _UNTITLED)
    if metadata.language == UNDETERMINED:
        lengths: Counter[str] = Counter()
        for draft in drafts:
            lengths[draft.language or UNDETERMINED] += len(draft.text)
        language = lengths.most_common(1)[0][0]
        metadata = replace(metadata, language=language)
        for draft in drafts:
            if draft.language == language:
                draft.language = None
    return metadata


def _block(draft: Draft) -> Block:
    return Block(draft.kind, draft.text, draft.locator, draft.level, draft.matter, draft.language)
