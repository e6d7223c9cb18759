from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
from ebooklib import ITEM_COVER, ITEM_DOCUMENT, epub
from lxml import etree, html

from app.guide import guide_path
from core.errors import StorageError
from core.home import Home
from rag.guide import GUIDE_TITLE, build_guide


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_guide(tmp_path_factory.mktemp("guide") / "guide.epub")


def _sources() -> dict[str, str]:
    folder = files("resources") / "guide"
    pages = [page for page in folder.iterdir() if page.name.endswith(".md")]
    return {page.name: page.read_text(encoding="utf-8") for page in pages}


def test_the_same_words_make_the_same_bytes(guide: Path, tmp_path: Path) -> None:
    """In another process too, where hashes and times differ."""
    again = tmp_path / "again.epub"
    program = (
        "import sys; from pathlib import Path; from rag.guide import build_guide; "
        "build_guide(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", program, again], check=True)

    assert again.read_bytes() == guide.read_bytes()


def test_it_is_an_epub_with_every_chapter_in_order(guide: Path) -> None:
    book = epub.read_epub(guide)

    assert book.get_metadata("DC", "title")[0][0] == GUIDE_TITLE
    documents = [book.get_item_with_id(identifier) for identifier, _ in book.spine]
    assert all(document.get_type() == ITEM_DOCUMENT for document in documents)
    expected = [
        re.search(r"^# (.+)$", text, re.MULTILINE)[1] for _, text in sorted(_sources().items())
    ]
    assert [html.fromstring(page.content).findtext(".//h1") for page in documents] == expected
    assert len(list(book.get_items_of_type(ITEM_COVER))) == 1
    with zipfile.ZipFile(guide) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)


def test_every_entry_of_both_contents_leads_somewhere(guide: Path) -> None:
    with zipfile.ZipFile(guide) as archive:
        pages = {
            name.removeprefix("EPUB/"): etree.fromstring(archive.read(name))
            for name in archive.namelist()
            if name.endswith((".xhtml", ".ncx"))
        }
    links = pages["nav.xhtml"].xpath("//*[local-name()='a']/@href")
    links += pages["toc.ncx"].xpath("//*[local-name()='content']/@src")

    assert len(links) > 2 * len(_sources())
    for link in links:
        name, _, anchor = link.partition("#")
        assert not anchor or len(pages[name].xpath("//*[@id=$anchor]", anchor=anchor)) == 1, link


def test_the_parser_reads_it_without_a_warning(guide: Path) -> None:
    from rag.parsing.epub import parse_epub

    parsed = parse_epub(guide)

    assert parsed.metadata.title == GUIDE_TITLE
    assert parsed.metadata.language == "en"
    assert parsed.cover is not None
    assert parsed.warnings == ()
    chapters = {chapter.title for chapter in parsed.chapters}
    assert {"Welcome", "How quotes are verified", "What stays private"} <= chapters


def test_it_is_written_into_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    path = guide_path(home)

    assert path.is_relative_to(home.root)
    assert path == guide_path(home)
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing is left over"


def test_a_home_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")

    with pytest.raises(StorageError, match="user guide cannot be written"):
        guide_path(Home(tmp_path / "home"))


def test_its_keys_are_the_window_s_keys() -> None:
    from app.actions import GROUPS, plain_words

    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", _sources()["08-keyboard.md"], re.MULTILINE)

    expected = [
        (action.keys[0], plain_words(action.text))
        for actions in GROUPS.values()
        for action in actions
        if action.keys
    ]
    assert rows == expected


def test_its_commands_exist() -> None:
    import typer

    from app.cli.entry import application

    known = typer.main.get_command(application).commands
    told = set(re.findall(r"\bpostil ([a-z][a-z-]+)", "\n".join(_sources().values())))

    assert {"add", "ask", "search", "doctor"} <= told
    assert told <= set(known)
