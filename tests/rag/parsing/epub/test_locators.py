"""From a block back to its place in the page, by an independent reading of the grammar."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from core.text import Block, BlockKind
from rag.parsing.epub import parse_epub
from rag.parsing.epub.locators import find_element, parse_locator
from support.epubs import EpubSource, xhtml

EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
LEFT_OUT = {"head", "script", "style", "rt", "rp", "img", "svg"}
Piece = tuple[tuple[int, ...], str]


def pieces(element: Any, path: tuple[int, ...] = ()) -> Iterator[Piece]:
    """Yield the pieces of text inside an element, each at its path; comments do not count."""
    step = 1
    yield (*path, step), element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            step += 2
            left_out = etree.QName(child).localname in LEFT_OUT
            marks = "noteref" in child.get(EPUB_TYPE, "") or "backlink" in child.get(EPUB_TYPE, "")
            if not left_out and not marks:
                yield from pieces(child, (*path, step - 1))
        yield (*path, step), child.tail or ""


def source_text(root: Any, block: Block) -> str:
    """Return the text at a block's locator."""
    locator = parse_locator(block.locator)
    found = list(pieces(find_element(root, locator.steps)))
    if locator.run is None:
        return "".join(text for _, text in found)
    first, last = locator.run
    texts = []
    for path, text in found:
        if first.steps <= path <= last.steps:
            start = first.offset if path == first.steps and first.offset is not None else 0
            end = last.offset if path == last.steps and last.offset is not None else len(text)
            texts.append(text[start:end])
    return "".join(texts)


def letters(text: str) -> str:
    """Drop white space, which locators do not promise."""
    return "".join(unicodedata.normalize("NFC", text).split())


def assert_found_again(block: Block, root: Any) -> None:
    text = block.text.replace(" | ", "") if block.kind is BlockKind.TABLE_ROW else block.text
    assert letters(source_text(root, block)) == letters(text), block.locator


PAGE = xhtml(
    "bare <!-- a comment --> text<h1>A<br/>B</h1><p>whole</p>"
    "<p>one<br/>two <i>and<br/>three</i> more</p><div>before<p>in</p>between<p>in</p>after</div>"
    "<pre>l1\n<b>l2\nl3</b> x\n\nl4</pre><table><tr><td>a</td><td><p>b</p></td></tr></table>"
    "<p><ruby>字<rt>じ</rt></ruby>と</p><span>a<div>b</div>c</span>&#x301;e\u0301"
)


@pytest.fixture
def blocks(tmp_path: Path) -> tuple[Block, ...]:
    source = EpubSource({"x.xhtml": "<p>0</p>", "page.xhtml": PAGE})
    return parse_epub(source.write(tmp_path / "b.epub")).blocks


def test_the_locators_of_a_page(blocks: tuple[Block, ...]) -> None:
    assert {block.text: block.locator for block in blocks} == {
        "0": "0:/4/2",
        "bare text": "1:/4,/1,/1",
        "A B": "1:/4/2",
        "whole": "1:/4/4",
        "one": "1:/4/6,/1,/1",
        "two and": "1:/4/6,/3,/4/1",
        "three more": "1:/4/6,/4/3,/5",
        "before": "1:/4/8,/1,/1",
        "in": "1:/4/8/4",
        "between": "1:/4/8,/3,/3",
        "after": "1:/4/8,/5,/5",
        "l1": "1:/4/10,/1,/1:2",
        "l2": "1:/4/10,/1:3,/2/1:2",
        "l3 x": "1:/4/10,/2/1:3,/3:2",
        "l4": "1:/4/10,/3:4,/3",
        "a | b": "1:/4/12/2",
        "字と": "1:/4/14",
        "a": "1:/4,/15,/16/1",
        "b": "1:/4/16/2",
        "ć\u00e9": "1:/4,/16/3,/17",
    }


def test_each_block_is_found_again(blocks: tuple[Block, ...]) -> None:
    root = etree.fromstring(PAGE.encode())
    for block in blocks[1:]:
        assert_found_again(block, root)


@pytest.mark.parametrize("text", ["", "1", "x:/2", "1:/2,/1", "1:2/4", "1:/4,/2,/3", "1:/4 "])
def test_what_is_no_locator_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="locator"):
        parse_locator(text)


def test_a_place_that_is_not_there_is_not_found() -> None:
    with pytest.raises(LookupError):
        find_element(etree.fromstring("<a><b/></a>"), (4,))


INLINE = st.recursive(
    st.sampled_from(["word", " ", "two words", "é", "<br/>", "<!--c-->", "<img/>"]),
    lambda inner: st.builds("<i>{}{}</i>".format, inner, inner),
    max_leaves=4,
)
FLOW = st.recursive(
    st.one_of(INLINE, st.builds("<p>{}{}</p>".format, INLINE, INLINE)),
    lambda inner: st.builds(
        lambda tag, a, b: f"<{tag}>{a}{b}</{tag}>",
        st.sampled_from(["div", "blockquote", "section", "li", "pre", "h2", "span"]),
        inner,
        inner,
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=FLOW)
def test_every_block_of_any_page_is_found_again_and_no_letter_is_lost(
    tmp_path: Path, body: str
) -> None:
    page = xhtml(f"{body}<p>end</p>")
    root = etree.fromstring(page.encode())
    book = parse_epub(EpubSource({"p.xhtml": page}).write(tmp_path / "b.epub"))
    for block in book.blocks:
        assert_found_again(block, root)
    whole = "".join(text for _, text in pieces(root))
    assert letters("".join(block.text for block in book.blocks)) == letters(whole)
