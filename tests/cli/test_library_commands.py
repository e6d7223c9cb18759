"""`add`, `books`, `text`, `search` and `remove`, run as another program would run them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from support.command import Outcome, postil

TALE = """\
The Keeper of the Lamp

by Ada Winter

CHAPTER I. The Hill

On the hill above the harbour stood a lighthouse, and in it lived Tomas, who kept the lamp. Every
evening he carried a can of oil up the hundred and twelve steps.

His only friend was a grey parrot called Mistral, who could say the names of the ships.

CHAPTER II. The Storm

In November a storm broke the great glass, and the schooner Halcyon came too near the rocks. Tomas
tied the parrot's red ribbon to the rail and swung his own lantern until morning.

The captain of the Halcyon brought him a barrel of oranges in thanks.
"""


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "The Keeper.txt"
    path.write_text(TALE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tale: Path) -> Path:
    folder = tmp_path_factory.mktemp("home")
    added = postil("add", tale, home=folder)
    assert added.code == 0, added.stderr
    return folder


def only_book(home: Path) -> dict:
    (book,) = postil("books", "--json", home=home).json
    return book


class TestAdd:
    def test_json_lines_end_with_the_books(self, tmp_path: Path, tale: Path) -> None:
        added = postil("add", tale, "--json", home=tmp_path)
        assert added.code == 0, added.stderr
        last = added.json_lines[-1]
        assert last["event"] == "done"
        (book,) = last["books"]
        assert set(book) == {
            "id", "title", "author", "language", "format", "blocks", "chunks", "characters",
            "seconds", "status", "error",
        }  # fmt: skip
        assert book["language"] == "en"
        assert book["format"] == "txt"
        assert book["chunks"] > 0
        assert book["error"] is None
        assert all("event" in line for line in added.json_lines)

    def test_the_same_content_is_one_book(self, home: Path, tale: Path, tmp_path: Path) -> None:
        copy = tmp_path / "another name.txt"
        copy.write_bytes(tale.read_bytes())
        again = postil("add", copy, tale, "--json", home=home)
        assert again.code == 0, again.stderr
        ids = [book["id"] for book in again.json_lines[-1]["books"]]
        assert ids == [only_book(home)["id"]] * 2

    def test_what_fails_keeps_its_place_and_the_rest_goes_on(
        self, tmp_path: Path, tale: Path
    ) -> None:
        empty = tmp_path / "empty.txt"
        empty.write_bytes(b"")
        broken = tmp_path / "broken.epub"
        broken.write_bytes(b"this is no archive \x00\xff" * 50)
        with zipfile.ZipFile(tmp_path / "protected.epub", "w") as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("META-INF/rights.xml", "<rights/>")
        paths = [tmp_path / "absent.epub", empty, tale, broken, tmp_path / "protected.epub"]
        added = postil("add", *paths, "--json", home=tmp_path / "home")
        assert added.code == 1
        books = added.json_lines[-1]["books"]
        assert [book["status"] == "failed" for book in books] == [True, True, False, True, True]
        assert [book["id"] is None for book in books] == [True, True, False, True, True]
        assert all(len(book["error"]) > 10 for book in books if book["id"] is None)
        assert "Traceback" not in added.stderr

    def test_folders(self, tmp_path: Path, tale: Path) -> None:
        (tmp_path / "shelf" / "inner").mkdir(parents=True)
        (tmp_path / "shelf" / "ünïcode ‘odd’ näme.txt").write_bytes(tale.read_bytes())
        (tmp_path / "shelf" / "inner" / "deep.txt").write_text("A deep book. " * 20)
        (tmp_path / "shelf" / "notes.xyz").write_text("not a book")
        flat = postil("add", tmp_path / "shelf", "--json", home=tmp_path / "flat")
        deep = postil("add", tmp_path / "shelf", "--recursive", "--json", home=tmp_path / "deep")
        assert (flat.code, deep.code) == (0, 0), flat.stderr + deep.stderr
        assert len(flat.json_lines[-1]["books"]) == 1
        assert len(deep.json_lines[-1]["books"]) == 2


class TestText:
    def test_a_slice_is_exact(self, home: Path) -> None:
        book_id = str(only_book(home)["id"])
        whole = postil("text", book_id, home=home).stdout
        assert len(whole) == only_book(home)["characters"]
        cut = postil("text", book_id, "--start", "10", "--end", "37", home=home).stdout
        assert cut == whole[10:37]
        assert postil("text", book_id, "--start", "999999", home=home).stdout == ""
        as_json = postil("text", book_id, "--start", "10", "--end", "37", "--json", home=home)
        assert as_json.json == {"book_id": int(book_id), "start": 10, "end": 37, "text": cut}

    def test_an_unknown_book_is_an_error(self, home: Path) -> None:
        outcome = postil("text", "4711", home=home)
        assert outcome.code == 1
        assert "4711" in outcome.stderr
        assert outcome.stdout == ""


class TestSearch:
    @pytest.mark.parametrize("mode", ["hybrid", "words", pytest.param("meaning")])
    def test_hits_are_slices(self, home: Path, mode: str) -> None:
        found = postil("search", "Who was the parrot?", "--mode", mode, "--json", home=home)
        assert found.code == 0, found.stderr
        assert set(found.json[0]) == {
            "book_id", "title", "chapter", "start", "end", "text", "score",
        }  # fmt: skip
        assert any("Mistral" in hit["text"] for hit in found.json)
        for hit in found.json:
            cut = postil(
                "text", str(hit["book_id"]), "--start", str(hit["start"]), "--end",
                str(hit["end"]), home=home,
            )  # fmt: skip
            assert cut.stdout == hit["text"]

    def test_nothing_reaches_past_the_boundary(self, home: Path) -> None:
        book = only_book(home)
        text = postil("text", str(book["id"]), home=home).stdout
        boundary = text.index("CHAPTER II")
        found = postil(
            "search", "storm schooner oranges lantern", "--book", str(book["id"]), "--up-to",
            str(boundary), "--json", home=home,
        )  # fmt: skip
        assert found.code == 0, found.stderr
        assert found.json
        assert all(hit["end"] <= boundary for hit in found.json)

    def test_nothing_found(self, home: Path, tmp_path: Path) -> None:
        for outcome in (
            postil("search", "zzyzx", "--mode", "words", "--json", home=home),
            postil("search", "anything", "--json", home=tmp_path),
        ):
            assert outcome.code == 3
            assert outcome.json == []

    @pytest.mark.parametrize(
        "arguments",
        [
            ["search"],
            ["search", "lamp", "--up-to", "10"],
            ["search", "lamp", "--up-to", "10", "--book", "1", "--book", "2"],
            ["search", "lamp", "--mode", "guess"],
            ["search", "  "],
            ["search", "lamp", "-k", "0"],
            ["ask", "lamp?", "--up-to", "10"],
            ["text", "1", "--start", "5", "--end", "2"],
            ["nonsense"],
            ["add"],
        ],
    )
    def test_wrong_usage(self, home: Path, arguments: list[str]) -> None:
        outcome = postil(*arguments, home=home)
        assert outcome.code == 2
        assert outcome.stdout == ""
        assert "Traceback" not in outcome.stderr


class TestRemove:
    def test_all_of_a_book_goes(self, tmp_path: Path, tale: Path) -> None:
        postil("add", tale, home=tmp_path)
        book_id = str(only_book(tmp_path)["id"])
        removed = postil("remove", book_id, home=tmp_path)
        assert removed.code == 0, removed.stderr
        assert postil("books", "--json", home=tmp_path).json == []
        assert postil("search", "parrot", "--json", home=tmp_path).code == 3
        assert not [path for path in (tmp_path / "library" / "books").rglob("*") if path.is_file()]

    def test_a_number_is_not_used_again(self, tmp_path: Path, tale: Path) -> None:
        postil("add", tale, home=tmp_path)
        first = only_book(tmp_path)["id"]
        postil("remove", str(first), home=tmp_path)
        postil("add", tale, home=tmp_path)
        assert only_book(tmp_path)["id"] > first


class TestCare:
    def test_a_damaged_index_is_made_anew(self, tmp_path: Path, tale: Path) -> None:
        postil("add", tale, home=tmp_path)
        before = postil(
            "search", "who kept the light?", "--mode", "meaning", "--json", home=tmp_path
        )
        for path in (tmp_path / "library" / "index").iterdir():
            path.write_bytes(b"damaged")
        after = postil(
            "search", "who kept the light?", "--mode", "meaning", "--json", home=tmp_path
        )
        assert after.json == before.json
        rebuilt = postil("rebuild-index", home=tmp_path)
        assert rebuilt.code == 0, rebuilt.stderr
        doctor = postil("doctor", "--json", home=tmp_path)
        assert doctor.code == 0, doctor.stdout
        assert all(finding["ok"] for finding in doctor.json)

    def test_a_home_that_cannot_be_written(self, tmp_path: Path) -> None:
        blocker = tmp_path / "file"
        blocker.write_text("in the way")
        outcome = postil("books", home=blocker / "home")
        assert outcome.code == 1
        assert "Traceback" not in outcome.stderr
        assert str(blocker) in outcome.stderr

    @pytest.mark.parametrize("command", ["export"])
    def test_planned_commands_say_so(self, tmp_path: Path, command: str) -> None:
        outcome: Outcome = postil(command, "something", "--flag", home=tmp_path)
        assert outcome.code == 2
        assert "not part of this version" in outcome.stderr
