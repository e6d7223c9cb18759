"""What the elements of a page become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.text import Block, BlockKind, Matter
from rag.parsing.epub import parse_epub
from support.epubs import EpubSource, xhtml

Read = Callable[..., tuple[Block, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a book of one page."""

    def read_page(body: str, **source: str) -> tuple[Block, ...]:
        return parse_epub(
            EpubSource({"page.xhtml": body}, **source).write(tmp_path / "b.epub")
        ).blocks

    return read_page


def texts(blocks: Sequence[Block]) -> list[str]:
    return [block.text for block in blocks]


def kinds(blocks: Sequence[Block]) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in blocks]


def test_paragraphs_fold_white_space_and_keep_inline_text_together(read: Read) -> None:
    blocks = read("<p>One\n  <i>two</i>&#160;three<b>four</b> </p>\n<div>five<p>six</p>seven</div>")
    assert texts(blocks) == ["One two threefour", "five", "six", "seven"]


def test_text_is_in_normal_form_c(read: Read) -> None:
    assert texts(read("<p>e\u0301te\u0301</p>")) == ["\u00e9t\u00e9"]


def test_headings_have_levels_and_stay_one_block(read: Read) -> None:
    blocks = read("<h1>Chapter I<br/>The <em>Start</em></h1><h3><span>Deeper</span></h3><h2/>")
    assert [(b.kind, b.level, b.text) for b in blocks] == [
        (BlockKind.HEADING, 1, "Chapter I The Start"),
        (BlockKind.HEADING, 3, "Deeper"),
    ]


def test_the_subtitle_of_a_heading_group_is_a_heading_below_it(read: Read) -> None:
    blocks = read("<hgroup><h2>I</h2><p>The <br/>Cyclone</p></hgroup><p>Dorothy lived.</p>")
    assert [(b.kind.value, b.level, b.text) for b in blocks] == [
        ("heading", 2, "I"),
        ("heading", 3, "The Cyclone"),
        ("paragraph", 0, "Dorothy lived."),
    ]


def test_lists_and_quotes_know_their_depth(read: Read) -> None:
    blocks = read(
        "<ul><li>a<ol><li><p>b</p></li></ol></li></ul><dl><dt>term</dt><dd>meaning</dd></dl>"
        "<blockquote><p>q</p><blockquote>r</blockquote></blockquote>"
    )
    assert [(b.kind.value, b.level, b.text) for b in blocks] == [
        ("list_item", 0, "a"),
        ("list_item", 1, "b"),
        ("list_item", 0, "term"),
        ("list_item", 0, "meaning"),
        ("quote", 0, "q"),
        ("quote", 1, "r"),
    ]


@pytest.mark.parametrize(
    "attributes",
    [
        'epub:type="z3998:poem"',
        'epub:type="z3998:verse"',
        'epub:type="z3998:song"',
        'class="poetry"',
    ],
)
def test_each_line_of_verse_is_a_block(read: Read, attributes: str) -> None:
    body = f"<div {attributes}><p><span>One,</span><br/><span>two.</span></p><p>Three</p></div>"
    assert kinds(read(body)) == [("verse", "One,"), ("verse", "two."), ("verse", "Three")]


def test_short_lines_broken_by_hand_are_verse_and_long_ones_are_not(read: Read) -> None:
    short = "<p>Tyger Tyger, burning bright,<br/>In the forests of the night;<br/>What hand</p>"
    assert {block.kind for block in read(short)} == {BlockKind.VERSE}
    prose = "<p>" + "<br/>".join(["A sentence that goes on and on and on. " * 3] * 3) + "</p>"
    assert [block.kind for block in read(prose)] == [BlockKind.PARAGRAPH] * 3


def test_preformatted_lines_are_blocks_of_code(read: Read) -> None:
    blocks = read("<pre>def f():\n    <b>return\n  1</b>\n\n</pre>")
    assert kinds(blocks) == [("code", "def f():"), ("code", "return"), ("code", "1")]


def test_a_table_row_is_a_block_with_its_cells_apart(read: Read) -> None:
    blocks = read(
        "<table><caption>Ages</caption><tr><th>Name</th><th>Age</th></tr>"
        "<tr><td><p>Ann</p></td><td>7<br/>or 8</td></tr><tr><td/><td>x</td></tr></table>"
    )
    assert kinds(blocks) == [
        ("caption", "Ages"),
        ("table_row", "Name | Age"),
        ("table_row", "Ann | 7 or 8"),
        ("table_row", "| x"),
    ]


def test_a_table_that_lays_out_a_page_is_read_as_its_paragraphs(read: Read) -> None:
    blocks = read("<table><tr><td><h1>T</h1><p>One.</p><p>Two.</p></td></tr></table>")
    assert kinds(blocks) == [("heading", "T"), ("paragraph", "One."), ("paragraph", "Two.")]


@pytest.mark.parametrize(
    "mark",
    [
        '<a epub:type="noteref" href="n.xhtml#n1">1</a>',
        '<a role="doc-noteref" href="#x">*</a>',
        '<sup><a href="#fn12">12</a></sup>',
        '<a href="notes.html#p3">[3]</a>',
        '<a href="#_ftnref1"><sup>1</sup></a>',
        '[<a href="#footnote-1">1</a>]',
        '<a epub:type="backlink" href="#r">Back to text</a>',
        '<a href="#top">\u21a9\ufe0e</a>',
        '<span epub:type="pagebreak" id="p7">7</span>',
        '<span class="pagenum">[Pg 23]</span>',
        '<span hidden="hidden">secret</span>',
        '<span style="color: red; display: none">secret</span>',
        "<script>evil()</script><style>p {}</style>",
        '<img src="a.png" alt="described"/>',
        '<svg xmlns="http://www.w3.org/2000/svg"><title>t</title><desc>d</desc></svg>',
        "<audio>Your reader cannot play this.</audio>",
    ],
)
def test_what_is_not_text_is_left_out(read: Read, mark: str) -> None:
    assert texts(read(f"<p>The end{mark}.</p>")) == ["The end."]


@pytest.mark.parametrize(
    "kept",
    [
        '<a href="#chapter12">12</a>',
        '<a href="#note">the note</a>',
        '<a epub:type="annoref" href="#note">warrior</a>',
        '<span epub:type="pagebreak">a page break around much text</span>',
    ],
)
def test_what_only_looks_like_a_mark_is_kept(read: Read, kept: str) -> None:
    assert texts(read(f"<p>See {kept}</p>"))[0].split()[-1] in kept


def test_notes_are_blocks_of_their_own(read: Read) -> None:
    blocks = read(
        '<p>Text<aside epub:type="footnote"><p>An aside.</p></aside> goes on.</p>'
        '<section role="doc-endnotes"><h2>Notes</h2><ol><li><p>First. <a role="doc-backlink" '
        'href="#r1">back</a></p></li></ol></section><div class="footnote">Old.</div>'
        "<aside><p>A side bar.</p></aside>"
    )
    assert kinds(blocks) == [
        ("paragraph", "Text"),
        ("note", "An aside."),
        ("paragraph", "goes on."),
        ("heading", "Notes"),
        ("note", "First."),
        ("note", "Old."),
        ("paragraph", "A side bar."),
    ]


def test_readings_of_ruby_are_left_out(read: Read) -> None:
    one = "<ruby>山路<rp>(</rp><rt>やまみち</rt><rp>)</rp></ruby>"
    other = "<ruby><rb>登</rb><rt>のぼ</rt></ruby>"
    assert texts(read(f"<p>{one}を{other}る</p>")) == ["山路を登る"]


def test_mathematics_is_its_tokens(read: Read) -> None:
    math = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" alttext="x squared"><semantics><mrow>'
        "<msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mn>4</mn></mrow>"
        '<annotation encoding="TeX">x^2=4</annotation></semantics></math>'
    )
    assert texts(read(f"<p>If {math}, then</p>")) == ["If x 2 = 4, then"]


def test_text_in_pictures_of_svg_is_read(read: Read) -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg"><title>no</title><g><text>One <tspan>two</tspan>'
        "</text><text>three</text></g></svg>"
    )
    assert texts(read(svg)) == ["One two", "three"]


def test_a_page_may_be_svg(tmp_path: Path) -> None:
    source = EpubSource(
        {"p.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><text>Hello</text></svg>'}
    )
    source.files = {"EPUB/package.opf": source.package().replace("xhtml+xml", "svg+xml")}
    assert texts(parse_epub(source.write(tmp_path / "b.epub")).blocks) == ["Hello"]


def test_the_language_of_a_block_is_noted_where_it_differs(read: Read) -> None:
    blocks = read(
        '<p>English</p><p xml:lang="fr-FR">Français</p><div lang="zh_hant"><p>中文</p></div>'
        '<p lang="en-GB">Colour</p><p lang="not a tag!">Nothing</p>',
        language="en",
    )
    assert [block.language for block in blocks] == [None, "fr-FR", "zh-Hant", None, None]


def test_the_types_of_elements_set_their_matter(read: Read) -> None:
    blocks = read(
        '<section epub:type="titlepage"><p>Title</p></section><section epub:type="preface">'
        '<p>Preface</p></section><section epub:type="index"><p>Index</p></section>'
        '<div class="pg-boilerplate"><p>Licence</p></div>'
    )
    assert [block.matter for block in blocks] == [
        Matter.FRONT,
        Matter.BODY,
        Matter.BACK,
        Matter.LICENCE,
    ]


def test_a_copyright_page_behind_the_body_is_back_matter(read: Read) -> None:
    page = xhtml(
        '<section epub:type="copyright-page"><p>Mine</p></section>', body_type="backmatter"
    )
    other = xhtml("<p>Body</p>")
    assert read(page.replace("</body>", "<p>More</p></body>"))[0].matter is Matter.BACK
    assert read(other)[0].matter is Matter.BODY


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a&nbsp;b&mdash;c&hellip;&eacute;&amp;&lt;</p>", "a b\u2014c\u2026é&<"),
        ("<p>unclosed <i>tags<p>and <br> more & less < all", "unclosed tags|and|more & less < all"),
        ("<p>nested <b><i>wrongly</b></i> here</p>", "nested wrongly here"),
        ("<p>a \x01control\x02 character</p>", "a control character"),
    ],
)
def test_broken_pages_keep_their_text(read: Read, page: str, text: str) -> None:
    assert "|".join(texts(read(page))) == text


def test_tags_that_html_leaves_open_swallow_nothing(tmp_path: Path) -> None:
    page = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"><title/></head>'
        '<body><h1>One<a id="x"/></h1><p>a<br>b<img src="x.png">c</p><hr><p class="verse">d'
        '<a epub:type="noteref" href="#n">1</a></p></body></html>'
    )
    blocks = parse_epub(EpubSource({"p.xhtml": page}).write(tmp_path / "b.epub")).blocks
    assert kinds(blocks) == [
        ("heading", "One"),
        ("paragraph", "a"),
        ("paragraph", "bc"),
        ("verse", "d"),
    ]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("cp1251", "windows-1251"),
        ("cp1251", "utf-8"),
        ("koi8-r", "koi8-r"),
        ("utf-8", "iso-8859-1"),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, encoding: str, declared: str) -> None:
    sentence = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива."
    page = xhtml(f"<p>{sentence}</p>").replace('encoding="utf-8"', f'encoding="{declared}"')
    source = EpubSource({"p.xhtml": page.encode(encoding)}, language="ru")
    assert texts(parse_epub(source.write(tmp_path / "b.epub")).blocks) == [sentence]


def test_windows_punctuation_in_latin_1_is_read(tmp_path: Path) -> None:
    page = xhtml("<p>“Così è”</p>").replace('encoding="utf-8"', 'encoding="iso-8859-1"')
    source = EpubSource({"p.xhtml": page.encode("cp1252")}, language="it")
    assert texts(parse_epub(source.write(tmp_path / "b.epub")).blocks) == ["“Così è”"]
