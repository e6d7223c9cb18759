"""EPUBs for tests: built entry by entry with zipfile, as careless as wanted, or by EbookLib."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>"""

PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A picture of one pixel (GIF)."""


def xhtml(body: str, *, title: str = "", lang: str = "en", body_type: str = "") -> str:
    """Wrap a body into a page of EPUB 3."""
    kind = f' epub:type="{body_type}"' if body_type else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
        f' xml:lang="{lang}"><head><title>{escape(title)}</title></head>'
        f"<body{kind}>{body}</body></html>"
    )


def navigation(entries: Sequence[tuple[str, str]]) -> str:
    """Make a flat navigation document of (title, href)."""
    items = "".join(
        f"<li><a href={quoteattr(href)}>{escape(title)}</a></li>" for title, href in entries
    )
    return xhtml(f'<nav epub:type="toc"><ol>{items}</ol></nav>')


def ncx(points: str) -> str:
    """Wrap `navPoint` elements into an NCX."""
    return (
        '<?xml version="1.0"?><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1">'
        f"<navMap>{points}</navMap></ncx>"
    )


def encryption(
    *references: str, algorithm: str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
) -> str:
    """Make an encryption.xml that lists entries as encrypted."""
    data = "".join(
        f'<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod '
        f'Algorithm="{algorithm}"/><CipherData><CipherReference URI="{uri}"/></CipherData>'
        "</EncryptedData>"
        for uri in references
    )
    return (
        f'<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">{data}</encryption>'
    )


@dataclass(slots=True)
class EpubSource:
    """What goes into an EPUB; `write` makes the file.

    Attributes:
        pages: pages in spine order by their name below EPUB/; a body alone is wrapped.
        title: the title; "" for none.
        language: the language; "" for none.
        metadata: more XML of the metadata element.
        manifest: more XML of the manifest.
        nav: the navigation document, "" for none.
        ncx: the NCX, "" for none.
        guide: XML of the guide.
        nonlinear: names of pages that are not linear.
        files: more entries by their full name; None takes out what would be there.
    """

    pages: Mapping[str, str | bytes]
    title: str = "A Book"
    language: str = "en"
    metadata: str = ""
    manifest: str = ""
    nav: str = ""
    ncx: str = ""
    guide: str = ""
    nonlinear: Sequence[str] = ()
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)

    def package(self) -> str:
        """The package file."""
        dublin_core = (f"<dc:title>{escape(self.title)}</dc:title>" if self.title else "") + (
            f"<dc:language>{self.language}</dc:language>" if self.language else ""
        )
        items = "".join(
            f'<item id="page{number}" href={quoteattr(name)} media-type="application/xhtml+xml"/>'
            for number, name in enumerate(self.pages)
        )
        if self.nav:
            items += (
                '<item id="nav" href="nav.xhtml" properties="nav"'
                ' media-type="application/xhtml+xml"/>'
            )
        if self.ncx:
            items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
        spine = ""
        for number, name in enumerate(self.pages):
            linear = ' linear="no"' if name in self.nonlinear else ""
            spine += f'<itemref idref="page{number}"{linear}/>'
        toc = ' toc="ncx"' if self.ncx else ""
        return (
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"'
            f' xmlns:opf="http://www.idpf.org/2007/opf">{dublin_core}{self.metadata}</metadata>'
            f"<manifest>{items}{self.manifest}</manifest>"
            f"<spine{toc}>{spine}</spine>"
            f"<guide>{self.guide}</guide></package>"
        )

    def entries(self) -> dict[str, bytes]:
        """All entries of the container by name."""
        entries: dict[str, str | bytes | None] = {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "EPUB/package.opf": self.package(),
        }
        for name, page in self.pages.items():
            whole = isinstance(page, bytes) or "<html" in page
            entries[f"EPUB/{name}"] = page if whole else xhtml(page)
        if self.nav:
            entries["EPUB/nav.xhtml"] = self.nav
        if self.ncx:
            entries["EPUB/toc.ncx"] = self.ncx
        entries.update(self.files)
        return {
            name: data.encode() if isinstance(data, str) else data
            for name, data in entries.items()
            if data is not None
        }

    def write(self, path: Path) -> Path:
        """Write the EPUB to `path` and return it."""
        return write_zip(path, self.entries())


def write_zip(path: Path, entries: Mapping[str, bytes]) -> Path:
    """Write entries to a zip file and return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def write_with_ebooklib(path: Path, chapters: Sequence[tuple[str, str]]) -> Path:
    """Write an EPUB of (title, body) chapters the way EbookLib makes one, with nav and NCX."""
    from ebooklib import epub

    book = epub.EpubBook()
    book.set_identifier("urn:test:book")
    book.set_title("Made by EbookLib")
    book.set_language("en")
    book.add_author("An Author")
    pages = []
    for number, (title, body) in enumerate(chapters):
        page = epub.EpubHtml(title=title, file_name=f"chapter{number}.xhtml", lang="en")
        page.content = f"<html><body>{body}</body></html>"
        book.add_item(page)
        pages.append(page)
    book.toc = pages
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *pages]
    epub.write_epub(str(path), book)
    return path
