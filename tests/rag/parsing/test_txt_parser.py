"""The whole way from a text file to a ParsedBook: places, errors, damage, arbitrary bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import BadBookError, EmptyBookError, OversizedBookError
from core.text import Block, ParsedBook, fold_text
from rag.parsing.txt import PARSER_VERSION, parse_txt, parser
from rag.parsing.txt.aozora import strip_markup
from support.texts import parse_text

STORY = "Die Tür öffnete sich, und Gregor trat über die Schwelle.\nEs war spät.\n\n„Wer ist da?“\n"


def _unspaced(text: str) -> str:
    return fold_text(text).replace(" ", "")


def _check_places(
    data: bytes, book: ParsedBook, *, marked_up: bool = False, every: int = 1
) -> None:
    """Check that the bytes of every locator, decoded, are its block's text, and all in order."""
    assert book.encoding is not None
    last = 0
    for block in book.blocks[::every]:
        first, end = (int(place) for place in block.locator.split("-"))
        assert last <= first < end <= len(data)
        last = end
        source = data[first:end].decode(book.encoding, errors="replace")
        # There is no space between ideographs at a line break.
        folded = _unspaced if "\n" in source or "\r" in source else fold_text
        if marked_up and folded(source) != folded(block.text):
            source = strip_markup(source.strip())
        assert folded(source) == folded(block.text)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be", "utf-32"]
)
def test_every_block_says_where_it_stands(encoding: str) -> None:
    data = STORY.encode(encoding)
    book = parse_text(data)
    assert [block.text for block in book.blocks] == [
        "Die Tür öffnete sich, und Gregor trat über die Schwelle.",
        "Es war spät.",
        "„Wer ist da?“",
    ] or len(book.blocks) == 2
    _check_places(data, book)


def test_the_result_says_what_it_is() -> None:
    book = parse_text(STORY)
    assert (book.format, book.parser_version, book.encoding) == ("txt", PARSER_VERSION, "utf-8")
    assert book.metadata.language == "de"
    assert book.warnings == ()


def test_characters_are_kept() -> None:
    text = (
        "_Underscores_ -- two dashes, 'straight' “curly” quotes, zero\u200bwidth; co-\nopera & <b>."
    )
    assert parse_text(text).text == text.replace("\n", " ")


def test_a_chosen_encoding_is_used(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes("Привет".encode("cp1251"))
    assert parse_txt(path, name="x", encoding="cp1251").text == "Привет"
    with pytest.raises(BadBookError, match="klingon"):
        parse_txt(path, name="x", encoding="klingon")


def test_bad_bytes_are_replaced_and_told() -> None:
    data = "Ein schöner Tag für alle Bücher.\n".encode() * 40 + b"Hier \xff fehlt \xfe etwas.\n"
    book = parse_text(data)
    assert book.text.endswith("Hier � fehlt � etwas.")
    assert len(book.warnings) == 1
    assert "2 characters could not be read as utf-8" in book.warnings[0]
    _check_places(data, book)


@pytest.mark.parametrize("data", [b"", b"\n\n  \t\r\n", b"\xef\xbb\xbf", "\u3000\n\u00a0".encode()])
def test_a_file_without_text_is_an_empty_book(data: bytes) -> None:
    with pytest.raises(EmptyBookError, match="no text"):
        parse_text(data)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(BadBookError, match="cannot be read"):
            parse_txt(path, name="x")


def test_an_oversized_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "_MAX_BYTES", 1024 * 1024)
    path = tmp_path / "large.txt"
    path.write_bytes(b"a" * (1024 * 1024 + 1))
    with pytest.raises(OversizedBookError, match="1 MiB"):
        parse_txt(path, name="x")


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_a_book_or_a_clear_error(data: bytes) -> None:
    try:
        book = parse_text(data)
    except BadBookError:
        return
    _check_places(data, book)


_FRAGMENTS = st.sampled_from(
    [
        "Chapter 1", "CONTENTS", "第一回 天地", "　　天地玄黄，宇宙洪荒。", "IV",
        "* * *", "-----x-----",
        "A line of prose that is long enough to look like something wrapped at seventy cells,",
        "and it goes on.", "", "", "*** START OF THIS PROJECT GUTENBERG EBOOK X ***",
        "End of the Project Gutenberg EBook", "【テキスト中に現れる記号について】",
        "底本：", "青空文庫",
        "［＃「一」は大見出し］", "私《わたくし》は", "［＃ここから大見出し］",
        "［＃ここで大見出し終わり］",
        "-" * 40, "作者：某人", "《书》", "\u200b", "\x0c", "é", "\ufeff",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(_FRAGMENTS, max_size=40),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-16", "gb18030"]),
)
@example(
    ["Chapter 1", "【テキスト中に現れる記号について】", "［＃「一」は大見出し］", "-" * 40],
    "\n",
    "utf-8",
)
def test_any_mixture_of_conventions_is_placed_right(
    parts: list[str], end: str, encoding: str
) -> None:
    data = end.join(parts).encode(encoding)
    try:
        book = parse_text(data)
    except BadBookError:
        return
    aozora = "【テキスト中に現れる記号について】" in parts or {"底本：", "青空文庫"} <= set(parts)
    _check_places(data, book, marked_up=aozora)
    assert all(_is_sound(block) for block in book.blocks)


def _is_sound(block: Block) -> bool:
    return block.text == fold_text(block.text) and block.level >= 0


@pytest.mark.parametrize(
    "piece",
    [
        "※［＃",
        "［＃「",
        "《",
        "｜",
        "I",
        "IV.",
        ". ",
        "-",
        "a",
        "Chapter I ",
        "第",
        "é",
        "1. ",
    ],
)
def test_long_repetitions_are_read_in_linear_time(piece: str) -> None:
    """A pattern that backtracks would not come back from these within the suite's patience."""
    for ending in ("", "!", "\n青空文庫\n底本："):
        for encoding in ("utf-8", "gb18030"):
            data = (piece * 30_000 + ending).encode(encoding)
            assert parse_text(data).text


def test_many_short_chapters_are_read_in_linear_time() -> None:
    lines = [f"Chapter {number % 9 + 1}\n\nx\n" for number in range(20_000)]
    assert len(parse_text("\n".join(lines)).blocks) > 20_000


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(st.binary(max_size=4000))
def test_many_arbitrary_bytes(data: bytes) -> None:
    try:
        book = parse_text(data)
    except BadBookError:
        return
    _check_places(data, book)


_CHAPTERS = {
    "Doyle_Hound_1902": 15,
    "pg11-alice": 12,
    "pg1342-pride": 61,
    "pg1710-la-grande": 0,
    "pg35-the-time-machine": 13,
    "pg35-time-machine-utf16be": 13,
    "pg22367": 3,
    "pg4650-candide": 30,
    "kafka_schloss": 25,
    "ottsy-i-deti": 28,
    "红楼梦": 120,
    "水浒传": 120,
    "西游记-gbk": 100,
    "西游记-utf8-crlf": 100,
    "西游记-utf8-bom": 88,  # the file lacks chapters 2 to 13
    "aozora-kokoro": 113,
    "aozora-ningen-shikkaku": 7,
    "aozora-hashire": 0,
    "pg16950-goblin": None,
}


@pytest.mark.corpus
def test_the_corpus(corpus: Path) -> None:
    seen: set[str] = set()
    for path in sorted((corpus / "txt").glob("[!e]*/*.txt")) + sorted(
        corpus.glob("txt/e[ns]/*.txt")
    ):
        book = parse_txt(path, name=path.name)
        _check_places(path.read_bytes(), book, marked_up=book.metadata.language == "ja", every=11)
        assert not book.warnings, path.name
        for start, count in _CHAPTERS.items():
            if path.name.startswith(start):
                seen.add(start)
                assert count is None or len(book.chapters) == count, (path.name, book.chapters)
    assert seen == set(_CHAPTERS)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("en/pg2701-moby-dick-or-the-whale.txt", {1: 135}),
        ("en/pg829-gulliver-s-travels.txt", {1: 4, 2: 39}),
        ("en/pg135-les-mis-rables.txt", {1: 5, 2: 48, 3: 365}),
        ("es/pg2000-don-quijote-latin1.txt", {1: 5, 2: 126}),
    ],
)
def test_numbered_chapters_of_long_books(corpus: Path, name: str, levels: dict[int, int]) -> None:
    from rag.parsing.txt.labels import read_label

    book = parse_txt(corpus / "txt" / name, name=name)
    counts: dict[int, int] = {}
    for chapter in book.chapters:
        label = read_label(chapter.title)
        if label is not None and label.number is not None:
            counts[chapter.level] = counts.get(chapter.level, 0) + 1
    assert counts == levels


@pytest.mark.corpus
def test_every_fairy_tale_is_a_chapter(corpus: Path) -> None:
    import re

    for path in sorted((corpus / "eval/fairytale/books").glob("*.txt")):
        tales = re.findall(r"^\d+\. .+$", path.read_text(), re.MULTILINE)
        chapters = [chapter.title for chapter in parse_txt(path, name=path.name).chapters]
        assert chapters == [fold_text(tale) for tale in tales]


@pytest.mark.corpus
def test_re_encoded_books_give_the_same_text(corpus: Path) -> None:
    for plain, encoded in (
        ("en/pg35-the-time-machine.txt", "derived/pg35-time-machine-utf16be-bom.txt"),
        ("en/pg41-the-legend-of-sleepy-hollow.txt", "derived/pg41-sleepy-hollow-cr-only.txt"),
    ):
        texts = [parse_txt(corpus / "txt" / name, name="x").text for name in (plain, encoded)]
        assert texts[0] == texts[1]
