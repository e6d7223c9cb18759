"""Chapter headings: which lines are ones, what they say, and how deep they stand."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadBookError
from core.text import BlockKind, Matter, ParsedBook
from rag.parsing.txt.labels import Rank, read_label, read_number
from rag.parsing.txt.numerals import number_of, roman_value
from support.texts import parse_text

PROSE = "\n".join(
    textwrap.wrap(
        "It is a truth universally acknowledged, that a single man in possession of a good fortune,"
        " must be in want of a wife. However little known the feelings or views of such a man may"
        " be on his first entering a neighbourhood, this truth is so well fixed in the minds of the"
        " surrounding families, that he is considered as the rightful property of some one.",
        72,
    )
)
CHINESE = (
    "　　此开卷第一回也，作者自云：因曾历过一番梦幻之后，故将真事隐去，"
    "而借通灵之说，撰此石头记一书也。" * 2
)
RUSSIAN = "Все смешалось в доме Облонских, и жена узнала, что муж был в связи с гувернанткой. " * 4


def _chapters(book: ParsedBook) -> list[tuple[int, str]]:
    for chapter in book.chapters:
        assert chapter.title in book.text[chapter.start :].partition("\n")[0]
    return [(chapter.level, chapter.title) for chapter in book.chapters]


def _book(*headings: str, body: str = PROSE) -> ParsedBook:
    return parse_text("\n\n\n".join(f"{heading}\n\n{body}\n\n{body}" for heading in headings))


@pytest.mark.parametrize(
    ("text", "rank", "number", "title"),
    [
        ("CHAPTER I. Down the Rabbit-Hole", Rank.CHAPTER, 1, "Down the Rabbit-Hole"),
        ("Chapter 12", Rank.CHAPTER, 12, ""),
        ("CHAPTER XXIX--THE END", Rank.CHAPTER, 29, "THE END"),
        ("Chapter the Twenty-First", Rank.CHAPTER, 21, ""),
        ("CHAPTER ONE", Rank.CHAPTER, 1, ""),
        ("BOOK FIRST--A JUST MAN", Rank.PART, 1, "A JUST MAN"),
        ("FIRST PART", Rank.PART, 1, ""),
        ("VOLUME IV.--SAINT-DENIS.", Rank.VOLUME, 4, "SAINT-DENIS."),
        ("ACT III", Rank.PART, 3, ""),
        ("SCENE II. A room in the castle.", Rank.CHAPTER, 2, "A room in the castle."),
        ("Letter 4", Rank.CHAPTER, 4, ""),
        ("Erstes Kapitel", Rank.CHAPTER, 1, ""),
        ("Zwölftes Buch", Rank.PART, 12, ""),
        ("3. Kapitel", Rank.CHAPTER, 3, ""),
        ("CHAPITRE PREMIER", Rank.CHAPTER, 1, ""),
        ("Chapitre XXX.", Rank.CHAPTER, 30, ""),
        ("DEUXIÈME PARTIE", Rank.PART, 2, ""),
        ("Capítulo primero. Que trata de la condición", Rank.CHAPTER, 1, None),
        ("Segunda parte del ingenioso hidalgo", Rank.PART, 2, "del ingenioso hidalgo"),
        ("Глава XV", Rank.CHAPTER, 15, ""),
        ("Глава первая", Rank.CHAPTER, 1, ""),
        ("ЧАСТЬ ВТОРАЯ", Rank.PART, 2, ""),
        ("Часть первая. Двадцать лет", Rank.PART, 1, "Двадцать лет"),
        ("Capitolo 7", Rank.CHAPTER, 7, ""),
        ("第一回　甄士隐梦幻识通灵", Rank.CHAPTER, 1, "甄士隐梦幻识通灵"),
        ("第一百二十回 归结红楼梦", Rank.CHAPTER, 120, "归结红楼梦"),
        ("第12章 初见", Rank.CHAPTER, 12, "初见"),
        ("第三卷 风云", Rank.PART, 3, "风云"),
        ("卷二", Rank.PART, 2, ""),
        ("第十二節", Rank.SECTION, 12, ""),
    ],
)
def test_labels(text: str, rank: Rank, number: int, title: str | None) -> None:
    label = read_label(text)
    assert label is not None
    assert (label.rank, label.number) == (rank, number)
    assert title is None or label.title == title


@pytest.mark.parametrize(
    "text", ["Preface", "PROLOGUE.", "Epilogue", "Предисловие", "楔子", "あとがき"]
)
def test_named_parts(text: str) -> None:
    label = read_label(text)
    assert label is not None
    assert label.number is None


@pytest.mark.parametrize(
    "text",
    [
        "Chapter one of the story was read aloud, and nobody listened.",
        "Part of the ship, part of the crew",
        "Book in hand, he went out",
        "chapter 5 was the best",
        "The first part was a tissue of hugged lies;",
        "Letter by letter the message came",
        "Act well your part; there all the honour lies",
        "第一回听到这种事，众人都笑了。",
        "Глава семьи сидел за столом",
        "Partie de campagne",
        "Teil des Ganzen",
    ],
)
def test_running_text_is_no_heading(text: str) -> None:
    assert read_label(text) is None


@pytest.mark.parametrize(
    ("text", "number", "title"),
    [
        ("IV", 4, ""),
        ("12.", 12, ""),
        ("1. Snow Man", 1, "Snow Man"),
        ("XIII. XIV", 13, ""),
        ("三", 3, ""),
    ],
)
def test_numbers(text: str, number: int, title: str) -> None:
    label = read_number(text)
    assert label is not None
    assert (label.number, label.title) == (number, title)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("xiv", 14), ("MCMXCIX", 1999), ("IIII", 4), ("twenty-three", 23), ("twenty third", 23),
        ("двадцать первая", 21), ("zwanzigstes", 20), ("dix-sept", 17), ("廿三", 23),
        ("一百零八", 108),
        ("一二〇", 120), ("十", 10), ("１２", 12), ("hello", None), ("", None), ("IC", None),
    ],
)  # fmt: skip
def test_number_words(text: str, value: int | None) -> None:
    assert number_of(text) == value


@given(st.integers(1, 3999))
def test_roman_numerals_come_back(number: int) -> None:
    digits = (
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
        (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    )  # fmt: skip
    left, roman = number, ""
    for value, letters in digits:
        roman += letters * (left // value)
        left %= value
    assert roman_value(roman) == number


def test_chapters_with_titles_on_the_same_line() -> None:
    book = _book("CHAPTER 1. Loomings.", "CHAPTER 2. The Carpet-Bag.", "Epilogue")
    assert _chapters(book) == [
        (1, "CHAPTER 1. Loomings."),
        (1, "CHAPTER 2. The Carpet-Bag."),
        (1, "Epilogue"),
    ]


def test_titles_on_the_following_line_belong_to_their_numbers() -> None:
    book = _book(
        "Chapter 1\n\nMr. Sherlock Holmes", "Chapter 2\n\nThe Curse", "Chapter 3\n\nThe End"
    )
    assert _chapters(book)[0] == (1, "Chapter 1 Mr. Sherlock Holmes")
    assert len(book.chapters) == 3


def test_a_short_first_paragraph_is_no_title() -> None:
    book = _book("Chapter 1", "Chapter 2", "Chapter 3", body=f"“Well, Watson?”\n\n{PROSE}")
    assert [title for _, title in _chapters(book)] == ["Chapter 1", "Chapter 2", "Chapter 3"]


def test_parts_hold_chapters() -> None:
    book = _book(
        "PART I. LILLIPUT", "CHAPTER I.", "CHAPTER II.", "PART II. BROBDINGNAG", "CHAPTER I."
    )
    assert [level for level, _ in _chapters(book)] == [1, 2, 2, 1, 2]


def test_three_levels() -> None:
    book = _book(
        "VOLUME I", "BOOK FIRST", "CHAPTER I", "CHAPTER II", "BOOK SECOND", "CHAPTER I",
        "VOLUME II", "BOOK FIRST", "CHAPTER I",
    )  # fmt: skip
    assert [level for level, _ in _chapters(book)] == [1, 2, 3, 3, 2, 3, 1, 2, 3]


def test_bare_roman_numerals_count_up() -> None:
    assert [title for _, title in _chapters(_book("I", "II", "III"))] == ["I", "II", "III"]


def test_a_numbered_list_is_no_chapters() -> None:
    items = "\n\n".join(f"{number}. An item of the list" for number in range(1, 8))
    book = _book("Chapter 1", "Chapter 2", body=f"{PROSE}\n\n{items}\n\n{PROSE}")
    assert [title for _, title in _chapters(book)] == ["Chapter 1", "Chapter 2"]


def test_a_year_alone_on_a_line_is_no_chapter() -> None:
    book = _book("I", "II", "III", body=f"{PROSE}\n\n1859\n\n{PROSE}")
    assert len(book.chapters) == 3


def test_a_table_of_contents_is_front_matter() -> None:
    titles = [f"CHAPTER {number}. A Title" for number in range(1, 6)]
    contents = "\n\n".join(titles)
    text = "\n\n\n".join([f"CONTENTS\n\n{contents}", *(f"{t}\n\n{PROSE}" for t in titles)])
    book = parse_text(f"The Whale\n\nby Herman Melville\n\n\n{text}")
    assert [title for _, title in _chapters(book)] == titles
    front = [block.text for block in book.blocks if block.matter is Matter.FRONT]
    assert front == ["The Whale", "by Herman Melville", "CONTENTS", *titles]


def test_a_table_of_contents_without_a_heading() -> None:
    titles = ["第一章 初见", "第二章 再会", "第三章 离别", "第四章 重逢", "第五章 尾声"]
    text = "\n".join(titles) + "\n\n" + "\n".join(f"{t}\n{CHINESE}\n{CHINESE}" for t in titles)
    assert [title for _, title in _chapters(parse_text(text))] == titles


def test_contents_tell_the_titles_of_poems() -> None:
    poems = ["Goblin Market", "Dream Land", "At Home", "A Triad"]
    verse = "Morning and evening\nMaids heard the goblins cry:\nCome buy our fruits,\nCome buy:"
    listed = "\n".join(f"  {title}" for title in poems)
    text = f"CONTENTS\n\n{listed}\n\n\n\n\n" + "\n\n\n\n\n".join(
        f"{title.upper()}\n\n\n{verse}\n\n{verse}" for title in poems
    )
    assert [title for _, title in _chapters(parse_text(text))] == [t.upper() for t in poems]


def test_titles_set_well_apart() -> None:
    text = f"{PROSE}\n\n{PROSE}" + "".join(
        f"\n\n\n\n\n{title}\n\n\n{PROSE}\n\n{PROSE}" for title in ("KAMALA", "SANSARA", "OM")
    )
    assert [title for _, title in _chapters(parse_text(text))] == ["KAMALA", "SANSARA", "OM"]


def test_chinese_chapters_in_running_lines() -> None:
    text = "\n".join(
        f"第{number}回　甄士隐梦幻识通灵\n{CHINESE}\n　　第一回中已说过此事，不必再提。\n{CHINESE}"
        for number in ("一", "二", "三")
    )
    assert [title for _, title in _chapters(parse_text(text))] == [
        f"第{number}回 甄士隐梦幻识通灵" for number in ("一", "二", "三")
    ]


def test_chinese_titles_between_rules() -> None:
    text = "\n".join(f"------第{n}节 润泽东方------\n{CHINESE}" for n in "一二三四")
    assert _chapters(parse_text(text)) == [(1, f"第{n}节 润泽东方") for n in "一二三四"]


def test_ornaments_are_not_in_the_title() -> None:
    book = _book("* PART ONE *", "CHAPTER I", "* PART TWO *", "CHAPTER I")
    assert _chapters(book)[0] == (1, "PART ONE")


def test_russian_parts_and_chapters() -> None:
    book = _book("Часть первая", "Глава I", "Глава II", "Часть вторая", "Глава I", body=RUSSIAN)
    assert [level for level, _ in _chapters(book)] == [1, 2, 2, 1, 2]
    assert book.metadata.language == "ru"


def test_headings_are_blocks() -> None:
    book = _book("Chapter 1", "Chapter 2")
    headings = [block for block in book.blocks if block.kind is BlockKind.HEADING]
    assert [(block.text, block.level) for block in headings] == [("Chapter 1", 1), ("Chapter 2", 1)]


@given(
    st.lists(
        st.sampled_from(
            [
                "CHAPTER I",
                "I",
                "II",
                "3. x",
                "PART ONE",
                "Contents",
                "第一回",
                "第二回 x",
                "",
                "",
                PROSE,
                "x",
                "---x---",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(["\n", "\n\n", "\n\n\n\n"]),
)
def test_any_mixture_of_headings_gives_a_consistent_outline(parts: list[str], gap: str) -> None:
    try:
        book = parse_text(gap.join(parts))
    except BadBookError:
        return
    starts = [chapter.start for chapter in book.chapters]
    assert starts == sorted(set(starts))
    assert all(1 <= chapter.level <= 6 for chapter in book.chapters)
    _chapters(book)
