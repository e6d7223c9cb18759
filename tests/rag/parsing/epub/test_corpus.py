"""Real books: every EPUB of the public corpus, against independent readings of the same files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from lxml import etree

from core.errors import BadBookError, DamagedBookError, UnknownFormatError
from core.text import ParsedBook, chapter_path, place_blocks
from rag.parsing.epub import parse_epub
from rag.parsing.epub.locators import parse_locator

pytestmark = pytest.mark.corpus

XHTML = "{http://www.w3.org/1999/xhtml}"
EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
UNFOLDED = re.compile(r"^ | $|  |[\t\r\u00a0\u3000]", re.MULTILINE)
WORD = re.compile(r"\w+")

NO_BOOKS = {
    "invalid/not_a_zip.epub": UnknownFormatError,
    "invalid/ocf-zip-unreadable-image-with-epub-extension-fatal.epub": UnknownFormatError,
    "invalid/ocf-zip-unreadable-no-end-header-fatal.epub": DamagedBookError,
}
GIBBON = "edward-gibbon_the-history-of-the-decline-and-fall-of-the-roman-empire"
NOVELS = [
    "agatha-christie_the-mysterious-affair-at-styles",
    "ambrose-bierce_the-devils-dictionary",
    "h-g-wells_the-time-machine",
    "jane-austen_persuasion",
    "leo-tolstoy_war-and-peace_louise-maude_aylmer-maude",
    "walt-whitman_leaves-of-grass",
]
TWINS = [
    "h-g-wells_the-time-machine",
    "horace-walpole_the-castle-of-otranto",
    "jack-london_the-call-of-the-wild",
]


@pytest.fixture(scope="module")
def read(corpus: Path) -> Callable[[str], ParsedBook]:
    """Read a book of Standard Ebooks once."""
    return cache(lambda name: parse_epub(corpus / "epub/standardebooks" / f"{name}.epub"))


def words(text: str) -> Counter[str]:
    return Counter(WORD.findall(text))


def all_epubs(corpus: Path) -> Iterator[Path]:
    """Yield all EPUBs but the one that is by far the largest, which has a test of its own."""
    for path in (corpus / "epub").rglob("*"):
        if path.suffix.lower() == ".epub" and path.stem != "mahabharata":
            yield path


def test_every_epub_becomes_a_book_or_says_why_not(corpus: Path) -> None:
    refused: dict[str, type[BadBookError]] = {}
    for path in all_epubs(corpus):
        try:
            book = parse_epub(path)
        except BadBookError as error:
            refused[path.relative_to(corpus / "epub").as_posix()] = type(error)
            continue
        assert book.text
        assert book.metadata.title
        assert [c.start for c in book.chapters] == sorted(c.start for c in book.chapters)
        starts = {placed.start for placed in place_blocks(book.blocks)}
        assert all(chapter.start in starts for chapter in book.chapters), path
        assert not UNFOLDED.search(book.text), path
    assert refused == NO_BOOKS


def ebooklib_words(path: Path) -> Counter[str]:
    """Count the words of a book as EbookLib reads its files, mark-up taken away naively."""
    from ebooklib import epub

    book = epub.read_epub(path)
    count: Counter[str] = Counter()
    for item_id, _ in book.spine:
        body = etree.fromstring(book.get_item_with_id(item_id).content).find(f"{XHTML}body")
        for node in body.iter("*"):
            if etree.QName(node).localname not in ("a", "abbr", "b", "em", "i", "span", "strong"):
                node.text = f" {node.text or ''}"
                node.tail = f" {node.tail or ''}"
        count += words("".join(body.itertext()))
    return count


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", NOVELS)
def test_the_words_are_those_that_ebooklib_finds(
    corpus: Path, read: Callable[[str], ParsedBook], name: str
) -> None:
    theirs = ebooklib_words(corpus / "epub/standardebooks" / f"{name}.epub")
    ours = words(read(name).text)
    assert (theirs - ours).total() <= 0.0005 * theirs.total()
    assert (ours - theirs).total() <= 0.0005 * theirs.total()


@pytest.mark.parametrize("name", TWINS)
def test_the_words_are_those_of_the_plain_text_edition(
    corpus: Path, read: Callable[[str], ParsedBook], name: str
) -> None:
    plain = words((corpus / "eval/format-parity" / f"{name}.txt").read_text(encoding="utf-8"))
    body = words("\n".join(b.text for b in read(name).blocks if b.matter.value == "body"))
    assert (plain - body).total() <= 0.001 * plain.total()
    assert (body - plain).total() <= 0.005 * plain.total()


@pytest.mark.parametrize("name", [*NOVELS, GIBBON])
def test_the_chapters_are_the_lines_of_the_contents(
    corpus: Path, read: Callable[[str], ParsedBook], name: str
) -> None:
    book = read(name)
    with ZipFile(corpus / "epub/standardebooks" / f"{name}.epub") as container:
        toc = etree.fromstring(container.read("epub/toc.xhtml"))
        package = etree.fromstring(container.read("epub/content.opf"))
    hrefs = {item.get("id"): item.get("href") for item in package.iter("{*}item")}
    spine = [PurePosixPath(hrefs[ref.get("idref")]) for ref in package.iter("{*}itemref")]
    nav = next(nav for nav in toc.iter(f"{XHTML}nav") if nav.get(EPUB_TYPE) == "toc")
    missing = {"text/endnotes.xhtml"} if name == GIBBON else set()
    links = [a for a in nav.iter(f"{XHTML}a") if a.get("href").partition("#")[0] not in missing]
    assert [c.title for c in book.chapters] == [
        " ".join("".join(a.itertext()).split()) for a in links
    ]
    placed = {block.start: block for block in place_blocks(book.blocks)}
    for chapter, link in zip(book.chapters, links, strict=True):
        depth = len([node for node in link.iterancestors() if node.tag == f"{XHTML}ol"])
        locator = parse_locator(placed[chapter.start].block.locator)
        page = spine[locator.spine_index]
        assert (chapter.level, str(page)) == (depth, link.get("href").partition("#")[0])
        assert chapter_path(book.chapters, chapter.start)[-1].start == chapter.start


def test_a_book_whose_notes_are_missing_is_read_without_their_marks(
    read: Callable[[str], ParsedBook],
) -> None:
    book = read(GIBBON)
    assert "endnotes.xhtml" in book.warnings[0]
    assert len(book.text) > 6_500_000
    glued = re.findall(r"[a-z][.,;]\d{2,4}(?=\s)", book.text)
    assert not glued


def test_japanese_is_read_without_its_ruby(corpus: Path) -> None:
    folder = corpus / "epub/idpf-epub3-samples"
    book = parse_epub(folder / "kusamakura-japanese-vertical-writing.epub")
    assert (book.metadata.title, book.metadata.language) == ("草枕", "ja-JP")
    assert "山路を登りながら、こう考えた。" in book.text
    assert "やまみち" not in book.text
    assert {block.language for block in book.blocks} == {None, "en"}


def test_an_epic_is_read_whole(corpus: Path) -> None:
    book = parse_epub(corpus / "epub/idpf-epub3-samples/mahabharata.epub")
    assert len(book.chapters) == 2014
    assert len(book.text) > 6_300_000
    assert book.text.startswith("महाभारत\nआदि पर्व\n")
