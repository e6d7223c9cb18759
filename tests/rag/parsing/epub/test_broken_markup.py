"""Pages whose mark-up is broken: tags never closed, halves of characters, senseless encodings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import OversizedBookError
from rag.parsing.epub import parse_epub, walker
from rag.parsing.epub.drafts import Draft
from support.epubs import EpubSource, ncx, xhtml

BOOK = EpubSource({"one.xhtml": "<h1>One</h1><p>Text.</p>", "two.xhtml": "<p>More.</p>"})


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<div>para", ""),
        ("<blockquote>para", ""),
        ("<span>para<br>", ""),
        ("<ul><li>para", ""),
        ("<div>para", "</div>"),
        ("<span>para<br/>", "</span>"),
        ("<h2><div>para</div></h2><div>", "</div>"),
    ],
)
def test_tags_that_are_never_closed_hide_no_text(
    tmp_path: Path, opening: str, closing: str
) -> None:
    page = xhtml(opening * 900 + closing * 900 + "<p>end</p>")
    book = parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))
    assert book.text.split() == ["para"] * 900 + ["end"]
    assert book.warnings == ()


def test_marks_that_are_never_closed_do_not_cost_minutes(tmp_path: Path) -> None:
    marks = "<span class='pagenum'>This is no number of a page, " * 1_500
    page = xhtml(marks + "<b>x</b>" * 100_000)
    started = time.process_time()
    book = parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))
    assert book.text.endswith("x" * 100_000)
    assert time.process_time() - started < 20  # it takes 1 s, or minutes


def test_a_page_of_too_long_locators_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walker, "MAX_LOCATORS", 5_000)
    page = "<div>" * 100 + "a<br/>" * 100 + "</div>" * 100
    with pytest.raises(OversizedBookError, match="nested"):
        parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))


@pytest.mark.parametrize("kind", ["nav", "ncx"])
def test_contents_nested_without_end_are_survived(tmp_path: Path, kind: str) -> None:
    link = "<ol><li><a href='one.xhtml'>One</a>"
    point = "<navPoint><navLabel><text>One</text></navLabel><content src='one.xhtml'/>"
    source = EpubSource(BOOK.pages)
    if kind == "nav":
        lists = link * 900 + "</li></ol>" * 900
        source.nav = xhtml(f'<nav epub:type="toc">{lists}</nav>')
    else:
        source.ncx = ncx(point * 1_900 + "</navPoint>" * 1_900)
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.chapters[0].title == "One"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&#xD83D;&#xDE00;", "\U0001f600"),
        ("&#55357;&#56832;", "\U0001f600"),
        ("&#xd83d&#x0dE00 ", "\U0001f600 "),
        ("&#xD83D;", "\ufffd"),
        ("&#xDE00;&#xD83D;", "\ufffd\ufffd"),
        ("&#xD83D; &#xDE00;", "\ufffd \ufffd"),
        ("&#xD7FF;&#57344;", "\ud7ff\ue000"),
    ],
)
@pytest.mark.parametrize("end", ["</p>", "<br>"])  # well-formed or not
def test_references_to_halves_of_characters(
    tmp_path: Path, written: str, read: str, end: str
) -> None:
    source = EpubSource({"one.xhtml": f"<p>{written}z{end}"})
    assert parse_epub(source.write(tmp_path / "x.epub")).text == f"{read}z"


@pytest.mark.parametrize("name", ["undefined", "unicode_escape", "idna", "punycode", "none-such"])
def test_an_encoding_that_no_page_has_is_passed_over(tmp_path: Path, name: str) -> None:
    page = xhtml(r"<p>café \u0041</p>").replace('encoding="utf-8"', f'encoding="{name}"')
    source = EpubSource({"one.xhtml": page.encode("cp1252"), "two.xhtml": page})
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.text.splitlines() == ["caf\ufffd \\u0041", r"café \u0041"]
    assert book.warnings == ()


@pytest.mark.expects_logs
def test_an_error_nobody_thought_of_costs_only_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def walk(page: walker.Walker, root: Any) -> tuple[list[Draft], dict[str, int]]:
        if "More" in "".join(root.itertext()):
            raise ArithmeticError("a defect")
        return real_walk(page, root)

    real_walk = walker.Walker.walk
    monkeypatch.setattr(walker.Walker, "walk", walk)
    book = parse_epub(BOOK.write(tmp_path / "x.epub"))
    assert book.text == "One\nText."
    assert "two.xhtml) cannot be read" in book.warnings[0]
    assert "a defect" in caplog.text
