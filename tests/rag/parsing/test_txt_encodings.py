"""Which encoding a text file is read with."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadBookError, DamagedBookError
from rag.parsing.txt.encodings import find_decoding

ENGLISH = "It was a café in Zürich, said the “naïve” coöperator — nothing more.\r\n" * 3
GERMAN = "Gregor Samsa öffnete die Tür und hörte draußen leise Geräusche über dem Flur.\n"
FRENCH = "Le petit garçon était très fâché d'avoir été puni à l'école où il allait.\n"
POLISH = "Zażółć gęślą jaźń, powiedział wójt, a chłopiec poszedł dalej przez łąkę.\n"
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья по-своему.\n"
GREEK = "Στην αρχή ήταν ο λόγος και ο λόγος ήταν προς τον θεό, είπε η γυναίκα.\n"
HEBREW = "בראשית ברא אלהים את השמים ואת הארץ והארץ היתה תהו ובהו וחשך על פני תהום\n"
SIMPLIFIED = "盖闻天地之数，有十二万九千六百岁为一元。他们说这个国家的人都来了。\n"
TRADITIONAL = "此開卷第一回也，作者自云：因曾歷過一番夢幻之後，故將真事隱去。\n"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
KOREAN = "나는 이 집에서 가장 오래된 나무를 보고 있었다. 그는 아무 말도 하지 않았다.\n"

LEGACY = [
    ("cp1252", ENGLISH),
    ("cp1252", GERMAN),
    ("cp1252", FRENCH),
    ("cp1250", POLISH),
    ("iso8859_2", POLISH),
    ("cp1251", RUSSIAN),
    ("koi8_r", RUSSIAN),
    ("cp866", RUSSIAN),
    ("iso8859_5", RUSSIAN),
    ("iso8859_7", GREEK),
    ("cp1255", HEBREW),
    ("gb18030", SIMPLIFIED),
    ("big5", TRADITIONAL),
    ("cp932", JAPANESE),
    ("euc_jp", JAPANESE),
    ("iso2022_jp", JAPANESE),
    ("cp949", KOREAN),
]


@pytest.mark.parametrize(("encoding", "text"), LEGACY)
@pytest.mark.parametrize("repeats", [1, 60])
def test_legacy_text_is_read_right(encoding: str, text: str, repeats: int) -> None:
    data = (text * repeats).encode(encoding)
    assert data.decode(find_decoding(data).encoding) == text * repeats


def test_a_late_accent_in_an_english_file_is_seen() -> None:
    data = ("Nothing but plain words here.\n" * 20_000 + GERMAN).encode("cp1252")
    assert find_decoding(data).encoding == "cp1252"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN, SIMPLIFIED + "\n“Yes.”\n" * 8])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_wide_encodings_with_and_without_a_byte_order_mark(
    encoding: str, text: str, mark: str
) -> None:
    data = (mark + text * 9).encode(encoding)
    decoding = find_decoding(data)
    assert decoding.encoding == encoding
    assert data[decoding.bom_bytes :].decode(encoding) == text * 9


def test_utf8_keeps_its_encoding_when_a_few_bytes_are_bad() -> None:
    data = (RUSSIAN * 50).encode() + b"\xff\xd0" + RUSSIAN.encode()
    assert find_decoding(data).encoding == "utf-8"


def test_the_readers_choice_wins() -> None:
    assert find_decoding(RUSSIAN.encode("cp1251"), "KOI8-R").encoding == "koi8-r"
    assert find_decoding(b"\xff\xfea\0", "utf-16").bom_bytes == 2
    assert find_decoding(b"a\0b\0", "utf-16").encoding == "utf-16-le"


@pytest.mark.parametrize("name", ["no-such-encoding", "base64", "rot13", "zlib", "", "idna", "\0"])
def test_a_name_that_is_no_text_encoding_is_refused(name: str) -> None:
    with pytest.raises(BadBookError, match="not the name of a text encoding"):
        find_decoding(b"text", name)


@pytest.mark.parametrize(
    "data",
    [bytes(range(256)) * 40, b"\x7fELF" + bytes(500), b"\0" * 100, b"\x00\x01\x02\x03" * 99],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedBookError, match="not text"):
        find_decoding(data)


# Pairs of characters that two names of one encoding map differently (JIS wave dash and minus,
# GB dash): the text is the same to a reader.
_SAME = str.maketrans("〜−―‖", "～－—∥")
_FOLDERS = {"MacCyrillic": "mac_cyrillic", "TIS-620": "cp874"}


@pytest.mark.corpus
def test_the_share_of_chardets_samples_read_right(corpus: Path) -> None:
    """The folder names the encoding; what counts is whether the text comes out the same."""
    wrong: list[str] = []
    files = [f for f in sorted((corpus / "txt/encodings/chardet").rglob("*")) if f.is_file()]
    for file in files:
        data = file.read_bytes()
        name = _FOLDERS.get(file.parent.name, file.parent.name)
        while not _is_codec(name):
            name = name.rpartition("-")[0]
        expected = data.decode(name, errors="replace").lstrip("\ufeff")
        try:
            decoding = find_decoding(data)
        except DamagedBookError:
            wrong.append(f"{file.parent.name}/{file.name}: refused")
            continue
        text = data[decoding.bom_bytes :].decode(decoding.encoding, errors="replace")
        if text.translate(_SAME) != expected.translate(_SAME):
            wrong.append(f"{file.parent.name}/{file.name}: {decoding.encoding}")
    assert len(files) > 200
    assert len(wrong) <= 0.01 * len(files), wrong


def _is_codec(name: str) -> bool:
    import codecs

    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
