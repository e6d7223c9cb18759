"""Files that are damaged, locked, malicious, or no books at all."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from core.errors import (
    DamagedBookError,
    EmptyBookError,
    OversizedBookError,
    ProtectedBookError,
    UnknownFormatError,
)
from rag.parsing.epub import archive, markup, pages, parse_epub
from support.epubs import PIXEL, EpubSource, encryption, write_zip, xhtml

BOOK = EpubSource({"one.xhtml": "<h1>One</h1><p>Text.</p>", "two.xhtml": "<p>More.</p>"})


@pytest.mark.parametrize("data", [b"", b"Just some words.", PIXEL, b"\0" * 5000])
def test_what_is_no_zip_is_no_epub(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.epub"
    path.write_bytes(data)
    with pytest.raises(UnknownFormatError, match="not an EPUB"):
        parse_epub(path)


def test_a_zip_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedBookError, match="no page"):
        parse_epub(write_zip(tmp_path / "x.epub", {"a.txt": b"text"}))


def test_a_file_that_is_gone_is_named_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedBookError, match="cannot be read"):
        parse_epub(tmp_path / "gone.epub")


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        ("META-INF/rights.xml", "Adobe"),
        ("META-INF/license.lcpl", "LCP"),
        ("META-INF/sinf.xml", "Apple"),
        ("rights.xml", "Kobo"),
    ],
)
def test_copy_protection_is_named(tmp_path: Path, mark: str, name: str) -> None:
    source = EpubSource(
        {"one.xhtml": bytes(range(128, 256)) * 9},
        files={"META-INF/encryption.xml": encryption("EPUB/one.xhtml"), mark: "<rights/>"},
    )
    with pytest.raises(ProtectedBookError, match=name):
        parse_epub(source.write(tmp_path / "x.epub"))


def test_scrambled_fonts_are_no_protection(tmp_path: Path) -> None:
    listed = encryption("EPUB/font.otf", algorithm="http://www.idpf.org/2008/embedding")
    source = EpubSource(
        BOOK.pages, files={"META-INF/encryption.xml": listed, "EPUB/font.otf": b"x"}
    )
    assert parse_epub(source.write(tmp_path / "x.epub")).text == "One\nText.\nMore."


def test_a_readable_page_is_read_though_it_is_listed_as_encrypted(tmp_path: Path) -> None:
    source = EpubSource(BOOK.pages, files={"META-INF/encryption.xml": encryption("EPUB/one.xhtml")})
    assert parse_epub(source.write(tmp_path / "x.epub")).text == "One\nText.\nMore."


def test_a_page_that_is_missing_is_a_warning(tmp_path: Path) -> None:
    source = EpubSource(BOOK.pages, files={"EPUB/one.xhtml": None})
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.text == "More."
    assert "one.xhtml" in book.warnings[0]


@pytest.mark.parametrize("lost", ["mimetype", "META-INF/container.xml", "EPUB/package.opf"])
def test_a_book_survives_the_loss_of_its_framework(tmp_path: Path, lost: str) -> None:
    source = EpubSource(BOOK.pages, files={lost: None})
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.text == "One\nText.\nMore."
    assert bool(book.warnings) == (lost == "EPUB/package.opf")


def test_pages_without_a_package_are_in_natural_order(tmp_path: Path) -> None:
    pages = {f"chapter{number}.html": f"<p>{number}</p>" for number in (10, 2, 1)}
    source = EpubSource(pages, files={"EPUB/package.opf": None})
    assert parse_epub(source.write(tmp_path / "x.epub")).text == "1\n2\n10"


def test_a_package_in_disorder_is_read(tmp_path: Path) -> None:
    package = (
        "<package><metadata><dc:title>Kept</dc:title></metadata><manifest>"
        '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
        '<item href="two.xhtml"><item id="a" href="gone.xhtml">'
        '</manifest><spine toc="nothing"><itemref idref="a"/><itemref/><itemref idref="zzz"/>'
    )
    source = EpubSource(BOOK.pages, files={"EPUB/package.opf": package})
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert (book.metadata.title, book.text) == ("Kept", "One\nText.")
    assert "zzz" in book.warnings[0]


def test_fallbacks_that_go_in_circles_end(tmp_path: Path) -> None:
    manifest = (
        '<item id="x" href="x.json" media-type="application/json" fallback="y"/>'
        '<item id="y" href="y.json" media-type="application/json" fallback="x"/>'
        '<item id="z" href="z.json" media-type="application/json" fallback="page0"/>'
    )
    source = EpubSource(BOOK.pages, manifest=manifest)
    spine = '<spine><itemref idref="x"/><itemref idref="z"/>'
    source.files = {"EPUB/package.opf": source.package().replace("<spine>", spine)}
    assert parse_epub(source.write(tmp_path / "x.epub")).text == "One\nText.\nMore."


def test_a_book_of_pictures_has_its_title_for_a_text(tmp_path: Path) -> None:
    source = EpubSource({"one.xhtml": "<img src='a.png'/>"}, title="Pictures")
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert [(block.text, block.locator) for block in book.blocks] == [("Pictures", "0:")]
    assert "no text" in book.warnings[0]


def test_a_book_without_text_and_title_is_empty(tmp_path: Path) -> None:
    source = EpubSource({"one.xhtml": "<img src='a.png'/>"}, title="")
    with pytest.raises(EmptyBookError, match="pictures"):
        parse_epub(source.write(tmp_path / "x.epub"))


def test_a_path_that_climbs_stays_in_the_book(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xhtml"
    secret.write_text(xhtml("<p>Secret.</p>"))
    source = EpubSource({"../../../secret.xhtml": "", "../EPUB/one.xhtml": ""})
    source.files = {
        "EPUB/../../../secret.xhtml": None,
        "EPUB/../EPUB/one.xhtml": None,
        "EPUB/one.xhtml": xhtml("<p>One.</p>"),
    }
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.text == "One."
    assert "secret" in book.warnings[0]


def test_names_not_marked_as_utf_8_are_found(tmp_path: Path) -> None:
    source = EpubSource({"章.xhtml": "<p>Found.</p>"})
    path = source.write(tmp_path / "x.epub")
    data = path.read_bytes()
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            flags = struct.unpack_from("<H", data, start + at)[0] & ~0x800
            data = data[: start + at] + struct.pack("<H", flags) + data[start + at + 2 :]
            start += 4
    path.write_bytes(data)
    assert parse_epub(path).text == "Found."


def test_an_entry_without_a_name_is_passed_over(tmp_path: Path) -> None:
    path = EpubSource(BOOK.pages, files={"zzz.txt": "x"}).write(tmp_path / "x.epub")
    path.write_bytes(path.read_bytes().replace(b"zzz.txt", b"\0zz.txt"))
    assert parse_epub(path).text == "One\nText.\nMore."


def test_junk_before_the_zip_is_skipped(tmp_path: Path) -> None:
    path = BOOK.write(tmp_path / "x.epub")
    path.write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + path.read_bytes())
    assert parse_epub(path).text == "One\nText.\nMore."


def test_a_file_that_was_cut_short_gives_what_it_still_has(tmp_path: Path) -> None:
    path = BOOK.write(tmp_path / "x.epub")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"EPUB/two.xhtml")])
    book = parse_epub(path)
    assert book.text == "One\nText."
    assert any("cut short" in warning for warning in book.warnings)


def test_a_file_cut_before_its_first_page_is_damaged(tmp_path: Path) -> None:
    path = BOOK.write(tmp_path / "x.epub")
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(DamagedBookError, match="cut short"):
        parse_epub(path)


def test_one_damaged_page_does_not_take_the_book_along(tmp_path: Path) -> None:
    path = BOOK.write(tmp_path / "x.epub")
    data = bytearray(path.read_bytes())
    at = data.index(b"EPUB/one.xhtml") + len(b"EPUB/one.xhtml")
    data[at : at + 20] = bytes(20)
    path.write_bytes(data)
    book = parse_epub(path)
    assert book.text == "More."
    assert "one.xhtml" in book.warnings[0]


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    page = xhtml("<p>" + "a" * (archive.RATIO_FLOOR_BYTES + 1) + "</p>")
    with pytest.raises(OversizedBookError, match="zip bomb"):
        parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))


def test_a_book_of_too_many_entries_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 4)
    with pytest.raises(OversizedBookError, match="5 entries"):
        parse_epub(BOOK.write(tmp_path / "x.epub"))


def test_a_book_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(OversizedBookError):
        parse_epub(BOOK.write(tmp_path / "x.epub"))


def test_a_page_of_too_many_tags_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markup, "MAX_TAGS", 100)
    with pytest.raises(OversizedBookError, match="100 tags"):
        parse_epub(EpubSource({"one.xhtml": "<b/>" * 100}).write(tmp_path / "x.epub"))


def test_a_book_of_too_much_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_CHARACTERS", 10)
    with pytest.raises(OversizedBookError, match="10 characters"):
        parse_epub(BOOK.write(tmp_path / "x.epub"))


def test_a_zip_with_a_password_is_protected(tmp_path: Path) -> None:
    path = BOOK.write(tmp_path / "x.epub")
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            data[start + at] |= 1
            start += 4
    path.write_bytes(data)
    with pytest.raises(ProtectedBookError, match="password"):
        parse_epub(path)


ENTITIES = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10 if n else 'lol' * 10}'>" for n in range(10))


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    page = f"<!DOCTYPE html [{ENTITIES}]>" + xhtml("<p>&e9;</p>").partition("\n")[2]
    with pytest.raises(OversizedBookError, match="entity bomb"):
        parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))


@pytest.mark.parametrize("bomb", ["entities", "unpacked"])
def test_a_bomb_that_is_only_the_cover_harms_no_page(tmp_path: Path, bomb: str) -> None:
    page = f"<!DOCTYPE html [{ENTITIES}]>" + xhtml("<p>&e9;</p>").partition("\n")[2]
    data = page if bomb == "entities" else "x" * (archive.RATIO_FLOOR_BYTES + 1)
    source = EpubSource(
        BOOK.pages,
        guide='<reference type="cover" href="cover.xhtml"/>',
        files={"EPUB/cover.xhtml": data},
    )
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert (book.text, book.cover) == ("One\nText.\nMore.", None)


def test_entities_of_the_page_are_resolved_and_those_of_files_are_not(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    doctype = (
        f"<!DOCTYPE html [<!ENTITY own 'mine'><!ENTITY ext SYSTEM '{secret.as_uri()}'>"
        f"<!ENTITY % p SYSTEM '{secret.as_uri()}'>]>"
    )
    page = doctype + xhtml("<p>It is &own;, not &ext;.</p>").partition("\n")[2]
    book = parse_epub(EpubSource({"one.xhtml": page}).write(tmp_path / "x.epub"))
    assert book.text.startswith("It is mine, not")
    assert "SECRET" not in book.text


def test_a_page_nested_without_end_is_survived(tmp_path: Path) -> None:
    page = xhtml("<p>Before.</p>" + "<div>" * 50_000 + "deep" + "</div>" * 50_000)
    source = EpubSource({"one.xhtml": page, "two.xhtml": "<p>After.</p>"})
    book = parse_epub(source.write(tmp_path / "x.epub"))
    assert book.text.startswith("Before.")
    assert book.text.endswith("After.")
    assert any("one.xhtml) could be read only in part" in warning for warning in book.warnings)
