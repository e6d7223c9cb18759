"""What makes a book of pages: order, contents, metadata, cover, front and back matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.text import Matter, ParsedBook
from rag.parsing.epub import PARSER_VERSION, cover, parse_epub
from support.epubs import PIXEL, EpubSource, navigation, ncx, write_with_ebooklib, xhtml

CHAPTERS = {
    "one.xhtml": '<h1>One</h1><p>First.</p><h2 id="b">Part B</h2><p>Second.</p>',
    "two.xhtml": "<h1>Two</h1><p>Third.</p>",
}


def read(folder: Path, source: EpubSource) -> ParsedBook:
    return parse_epub(source.write(folder / "book.epub"))


def chapters(book: ParsedBook) -> list[tuple[str, int, str]]:
    """Each chapter's title, level and first line."""
    return [
        (chapter.title, chapter.level, book.text[chapter.start :].partition("\n")[0])
        for chapter in book.chapters
    ]


def nav_point(title: str, src: str, inner: str = "") -> str:
    label = f"<navLabel><text>{title}</text></navLabel>"
    return f'<navPoint>{label}<content src="{src}"/>{inner}</navPoint>'


def test_a_book_made_by_ebooklib_is_read(tmp_path: Path) -> None:
    path = write_with_ebooklib(
        tmp_path / "b.epub", [("One", "<h1>One</h1><p>Text.</p>"), ("Two", "<h1>Two</h1>")]
    )
    book = parse_epub(path)
    assert (book.metadata.title, book.metadata.authors) == ("Made by EbookLib", ("An Author",))
    assert (book.format, book.parser_version, book.warnings) == ("epub", PARSER_VERSION, ())
    assert [b.text for b in book.blocks if b.matter is Matter.BODY] == ["One", "Text.", "Two"]
    assert chapters(book) == [("One", 1, "One"), ("Two", 1, "Two")]


def test_pages_are_read_in_the_order_of_the_spine_and_others_after_them(tmp_path: Path) -> None:
    pages = {name: f"<p>{name}</p>" for name in ("z.xhtml", "aside.xhtml", "a.xhtml")}
    book = read(tmp_path, EpubSource(pages, nonlinear=["aside.xhtml"]))
    assert book.text == "z.xhtml\na.xhtml\naside.xhtml"
    assert [block.locator[0] for block in book.blocks] == ["0", "2", "1"]


def test_navigation_gives_nested_chapters_at_their_fragments(tmp_path: Path) -> None:
    nav = xhtml(
        '<nav epub:type="page-list"><ol><li><a href="two.xhtml">9</a></li></ol></nav>'
        '<nav epub:type="toc"><ol><li><span>Book\n the  First</span><ol><li>'
        '<a href="one.xhtml">One</a><ol><li><a href="one.xhtml#b">B</a></li></ol></li></ol></li>'
        '<li><a href="TWO.xhtml"><img alt="Two" src="t.png"/></a></li></ol></nav>'
    )
    assert chapters(read(tmp_path, EpubSource(CHAPTERS, nav=nav))) == [
        ("Book the First", 1, "One"),
        ("One", 2, "One"),
        ("B", 3, "Part B"),
        ("Two", 1, "Two"),
    ]


def test_an_ncx_gives_chapters_in_text_order(tmp_path: Path) -> None:
    inner = nav_point("B", "one.xhtml#b")
    points = nav_point("Two", "two.xhtml") + nav_point("One", "./one.xhtml", inner)
    assert chapters(read(tmp_path, EpubSource(CHAPTERS, ncx=ncx(points)))) == [
        ("One", 1, "One"),
        ("B", 2, "Part B"),
        ("Two", 1, "Two"),
    ]


def test_a_name_may_be_percent_encoded_or_of_another_form(tmp_path: Path) -> None:
    source = EpubSource({"Kapitel%20eins.xhtml": "<h1>Eins</h1>", "a.xhtml": "<h1>Zwei</h1>"})
    source.nav = navigation([("Eins", "kapitel%20Eins.xhtml"), ("Zwei", "../EPUB/a.xhtml")])
    source.files = {
        "EPUB/Kapitel eins.xhtml": xhtml("<h1>Eins</h1>"),
        "EPUB/Kapitel%20eins.xhtml": None,
    }
    book = read(tmp_path, source)
    assert book.text == "Eins\nZwei"
    assert chapters(book) == [("Eins", 1, "Eins"), ("Zwei", 1, "Zwei")]


def test_an_entry_whose_link_is_broken_is_placed_by_its_heading(tmp_path: Path) -> None:
    nav = navigation(
        [("One", "gone.xhtml"), ("Part B", "one.xhtml#lost"), ("Nowhere", "gone.xhtml#x")]
    )
    assert chapters(read(tmp_path, EpubSource(CHAPTERS, nav=nav))) == [
        ("One", 1, "One"),
        ("Part B", 1, "Part B"),
    ]


def test_headings_make_the_chapters_where_contents_lead_nowhere(tmp_path: Path) -> None:
    nav = navigation([("Alpha", "gone.xhtml"), ("Beta", "https://example.org/two.xhtml")])
    for book in (
        read(tmp_path, EpubSource(CHAPTERS, nav=nav)),
        read(tmp_path, EpubSource(CHAPTERS)),
    ):
        assert chapters(book) == [("One", 1, "One"), ("Part B", 2, "Part B"), ("Two", 1, "Two")]


def test_the_ncx_serves_where_the_navigation_is_broken(tmp_path: Path) -> None:
    points = nav_point("one", "one.xhtml") + nav_point("two", "two.xhtml")
    source = EpubSource(CHAPTERS, nav=navigation([("x", "gone.xhtml")]), ncx=ncx(points))
    assert chapters(read(tmp_path, source)) == [("one", 1, "One"), ("two", 1, "Two")]


def test_an_entry_for_a_page_without_text_is_kept_only_as_a_parent(tmp_path: Path) -> None:
    pages = {"cover.xhtml": "<img src='c.gif'/>", "part.xhtml": "<img src='p.gif'/>", **CHAPTERS}
    nav = xhtml(
        '<nav epub:type="toc"><ol><li><a href="cover.xhtml">Cover</a></li>'
        '<li><a href="part.xhtml">Part</a><ol><li><a href="one.xhtml">One</a></li>'
        '<li><a href="two.xhtml">Two</a></li></ol></li></ol></nav>'
    )
    assert chapters(read(tmp_path, EpubSource(pages, nav=nav))) == [
        ("Part", 1, "One"),
        ("One", 2, "One"),
        ("Two", 2, "Two"),
    ]


def test_metadata_of_epub_3(tmp_path: Path) -> None:
    metadata = """
    <dc:title id="t2">The Subtitle</dc:title>
    <dc:title id="t1"> The  Main </dc:title><meta refines="#t1" property="title-type">main</meta>
    <dc:creator id="c1">Second Author</dc:creator>
    <dc:creator id="c2">An Illustrator</dc:creator><meta refines="#c2" property="role">ill</meta>
    <dc:creator id="c3">First Author</dc:creator>
    <meta refines="#c3" property="role">aut</meta>
    <meta refines="#c3" property="display-seq">1</meta>
    <dc:publisher>A Press</dc:publisher><dc:date>1871-12-01</dc:date>
    <dc:description>&lt;p&gt;A &lt;b&gt;good&lt;/b&gt; book&lt;/p&gt;</dc:description>
    <dc:identifier>urn:isbn:1</dc:identifier><dc:subject>Fiction</dc:subject>
    <meta property="belongs-to-collection" id="s">A Series</meta>
    <meta refines="#s" property="collection-type">series</meta>
    <meta refines="#s" property="group-position">2.5</meta>"""
    source = EpubSource(CHAPTERS, title="", language="EN_gb", metadata=metadata)
    said = read(tmp_path, source).metadata
    assert said.title == "The Main"
    assert said.authors == ("First Author", "Second Author")
    assert (said.language, said.publisher, said.published) == ("en-GB", "A Press", "1871-12-01")
    assert said.description == "A good book"
    assert (said.identifiers, said.subjects) == (("urn:isbn:1",), ("Fiction",))
    assert (said.series, said.series_index) == ("A Series", 2.5)


def test_metadata_of_epub_2_and_calibre(tmp_path: Path) -> None:
    metadata = """<dc:creator opf:role="trl">A Translator</dc:creator>
    <dc:creator opf:role="aut">An Author</dc:creator>
    <dc:date opf:event="modification">2020</dc:date><dc:date opf:event="publication">1900</dc:date>
    <meta name="calibre:series" content="Saga"/><meta name="calibre:series_index" content="3"/>"""
    said = read(tmp_path, EpubSource(CHAPTERS, metadata=metadata)).metadata
    assert (said.authors, said.published) == (("An Author",), "1900")
    assert (said.series, said.series_index) == ("Saga", 3.0)


def test_a_missing_title_and_language_come_from_the_pages(tmp_path: Path) -> None:
    pages = {"p.xhtml": xhtml("<h1>Überschrift</h1><p>Text</p><p lang='la'>et</p>", lang="de")}
    book = read(tmp_path, EpubSource(pages, title="", language=""))
    assert (book.metadata.title, book.metadata.language) == ("Überschrift", "de")
    assert [block.language for block in book.blocks] == [None, None, "la"]


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest": '<item id="c" href="c.gif" media-type="image/gif" properties="cover-image"/>'},
        {
            "manifest": '<item id="c" href="c.gif" media-type="image/gif"/>',
            "metadata": '<meta name="cover" content="c"/>',
        },
        {"guide": '<reference type="cover" href="c.xhtml"/>'},
        {"pages": {"p.xhtml": '<p><img src="c.gif"/></p><p>Text</p>'}},
    ],
    ids=["property", "meta", "guide", "first picture"],
)
def test_the_cover_is_found(tmp_path: Path, changes: dict[str, str]) -> None:
    source = EpubSource(
        **{
            "pages": CHAPTERS,
            "files": {
                "EPUB/c.gif": PIXEL,
                "EPUB/c.xhtml": xhtml(
                    '<svg xmlns="http://www.w3.org/2000/svg" '
                    'xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="c.gif"/></svg>'
                ),
            },
            **changes,
        }
    )
    cover = read(tmp_path, source).cover
    assert cover is not None
    assert (cover.data, cover.media_type) == (PIXEL, "image/gif")


def test_a_cover_that_is_too_large_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = '<item id="c" href="c.gif" media-type="image/gif" properties="cover-image"/>'
    source = EpubSource(CHAPTERS, manifest=item, files={"EPUB/c.gif": PIXEL})
    monkeypatch.setattr(cover, "MAX_COVER_BYTES", len(PIXEL))
    book = read(tmp_path, source)
    assert book.cover is not None
    assert book.warnings == ()
    monkeypatch.setattr(cover, "MAX_COVER_BYTES", len(PIXEL) - 1)
    book = read(tmp_path, source)
    assert book.cover is None
    assert "cover picture is larger" in book.warnings[0]


def test_a_cover_that_is_no_picture_is_none(tmp_path: Path) -> None:
    item = '<item id="c" href="c.gif" media-type="image/gif" properties="cover-image"/>'
    source = EpubSource(CHAPTERS, manifest=item, files={"EPUB/c.gif": b"not a picture"})
    assert read(tmp_path, source).cover is None


def matters(book: ParsedBook) -> dict[str, str]:
    return {block.text: block.matter.value for block in book.blocks}


def test_pages_are_front_or_back_matter_by_name_heading_and_guide(tmp_path: Path) -> None:
    pages = {
        "titlepage.xhtml": "<p>by name</p>",
        "0002_copyright.xhtml": "<p>numbered</p>",
        "x.xhtml": "<h1>Table of Contents</h1><p>one</p>",
        "y.xhtml": "<p>by guide</p>",
        "one.xhtml": "<h1>Chapter</h1><p>body</p>",
        "roads.xhtml": "<h1>Roads</h1>",
        "z.xhtml": "<h2>Index.</h2><p>Abel 3</p>",
        "colophon.xhtml": "<p>printed</p>",
    }
    guide = (
        '<reference type="copyright-page" href="y.xhtml"/><reference type="text" href="one.xhtml"/>'
    )
    assert matters(read(tmp_path, EpubSource(pages, guide=guide))) == {
        "by name": "front",
        "numbered": "front",
        "Table of Contents": "front",
        "one": "front",
        "by guide": "front",
        "Chapter": "body",
        "body": "body",
        "Roads": "body",
        "Index.": "back",
        "Abel 3": "back",
        "printed": "back",
    }


def test_contents_on_the_page_of_the_first_chapter_are_front_matter(tmp_path: Path) -> None:
    lines = "".join(f"<p>{number}. A line of contents</p>" for number in range(5))
    prose = "<p>It is prose, for its sentences are longer than the lines of a list ever are.</p>"
    body = f"<h2>CONTENTS</h2>{lines}<h2>Chapter 1</h2><p>Text.</p><h2>Index</h2>{prose * 100}"
    found = matters(read(tmp_path, EpubSource({"p.xhtml": body})))
    assert found["CONTENTS"] == found["4. A line of contents"] == "front"
    assert found["Chapter 1"] == found["Text."] == found["Index"] == "body"


def test_a_long_page_is_not_front_matter_by_its_name(tmp_path: Path) -> None:
    pages = {"cover.xhtml": "<h1>Whole book</h1>" + "<p>A long paragraph of prose.</p>" * 300}
    assert set(matters(read(tmp_path, EpubSource(pages))).values()) == {"body"}


def test_the_licence_of_project_gutenberg_is_set_apart(tmp_path: Path) -> None:
    body = (
        "<p>The Project Gutenberg eBook</p><p>*** START OF THE PROJECT GUTENBERG EBOOK X ***</p>"
        "<h1>X</h1><p>Text.</p><p>*** END OF THE PROJECT GUTENBERG EBOOK X ***</p><p>Section 1.</p>"
    )
    book = read(tmp_path, EpubSource({"p.xhtml": body, "q.xhtml": "<p>Section 2.</p>"}))
    found = [block.matter for block in book.blocks]
    assert found == [Matter.LICENCE] * 2 + [Matter.BODY] * 2 + [Matter.LICENCE] * 3


def test_a_book_of_front_matter_alone_is_all_body(tmp_path: Path) -> None:
    assert matters(read(tmp_path, EpubSource({"titlepage.xhtml": "<p>Only</p>"}))) == {
        "Only": "body"
    }


def test_a_page_listed_twice_is_read_once(tmp_path: Path) -> None:
    source = EpubSource({"p.xhtml": "<p>Once</p>"})
    package = source.package().replace("</spine>", '<itemref idref="page0"/></spine>')
    source.files = {"EPUB/package.opf": package}
    assert read(tmp_path, source).text == "Once"
