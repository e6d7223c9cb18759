"""What stands around a book: Project Gutenberg's header, Aozora Bunko's notes, title pages."""

from __future__ import annotations

import pytest

from core.text import BlockKind, Matter, ParsedBook
from rag.parsing.txt.aozora import strip_markup
from rag.parsing.txt.opening import title_from_name
from support.texts import parse_text

STORY = (
    "In the bosom of one of those spacious coves which indent the eastern shore of the Hudson,\n"
    "at that broad expansion of the river denominated by the ancient Dutch navigators the Tappan\n"
    "Zee, there lies a small market town or rural port, which is generally known by the name of\n"
    "Tarry Town.\n"
)
GUTENBERG = f"""\
The Project Gutenberg EBook of The Legend of Sleepy Hollow, by Washington Irving

This eBook is for the use of anyone anywhere at no cost and with
almost no restrictions whatsoever.

Title: The Legend of Sleepy Hollow
       A Ghost Story

Author: Washington Irving and Another Hand

Release Date: October, 1992 [EBook #41]

Language: English

*** START OF THIS PROJECT GUTENBERG EBOOK THE LEGEND OF SLEEPY HOLLOW ***




Produced by Ilana M. (Kingsley) Newby and Greg Newby




THE LEGEND OF SLEEPY HOLLOW

by Washington Irving


{STORY}
{STORY}
End of the Project Gutenberg EBook of The Legend of Sleepy Hollow, by Washington Irving

*** END OF THIS PROJECT GUTENBERG EBOOK THE LEGEND OF SLEEPY HOLLOW ***

Updated editions will replace the previous one.
"""
AOZORA = """\
こころ
夏目漱石

-------------------------------------------------------
【テキスト中に現れる記号について】

《》：ルビ
（例）私《わたくし》は
-------------------------------------------------------

［＃２字下げ］上　先生と私［＃「上　先生と私」は大見出し］


［＃５字下げ］一［＃「一」は中見出し］

　私《わたくし》はその人を常に先生と呼んでいた。先生一人｜麦藁帽《むぎわらぼう》を被っていた。
　葉を※［＃「てへん＋劣」、第3水準1-84-77］《も》ぎ取った。［＃ここから２字下げ］
［＃改ページ］
［＃５字下げ］［＃中見出し］二［＃中見出し終わり］

　眼を※［＃「目＋爭」、U+7741、8-6］った。※［＃二の字点、1-2-22］の字。※［＃「圖」に代えて、2-5］



底本：「こころ」集英社文庫、集英社
　　　1991（平成3）年2月25日第1刷
青空文庫作成ファイル：
このファイルは、インターネットの図書館、青空文庫で作られました。
"""


def _matter(book: ParsedBook, matter: Matter) -> list[str]:
    return [block.text for block in book.blocks if block.matter is matter]


def test_gutenbergs_header_and_licence_are_set_apart() -> None:
    book = parse_text(GUTENBERG)
    folded = " ".join(STORY.split())
    assert _matter(book, Matter.BODY) == [folded, folded]
    assert _matter(book, Matter.FRONT)[-3:] == [
        "Produced by Ilana M. (Kingsley) Newby and Greg Newby",
        "THE LEGEND OF SLEEPY HOLLOW",
        "by Washington Irving",
    ]
    assert _matter(book, Matter.LICENCE)[-1] == "Updated editions will replace the previous one."


def test_gutenbergs_header_tells_the_metadata() -> None:
    metadata = parse_text(GUTENBERG).metadata
    assert metadata.title == "The Legend of Sleepy Hollow: A Ghost Story"
    assert metadata.authors == ("Washington Irving", "Another Hand")
    assert metadata.language == "en"
    assert metadata.published == "October, 1992"


def test_a_licence_without_a_header_is_found() -> None:
    book = parse_text(GUTENBERG[GUTENBERG.index("In the bosom") :])
    assert _matter(book, Matter.LICENCE)[-1] == "Updated editions will replace the previous one."
    assert len(_matter(book, Matter.BODY)) == 2


def test_a_book_about_project_gutenberg_is_not_one_of_theirs() -> None:
    book = parse_text(f"About Project Gutenberg\n\n{STORY}\n\nThis Project Gutenberg is good.\n")
    assert not _matter(book, Matter.LICENCE)
    assert book.metadata.title == "About Project Gutenberg"


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "euc_jp"])
def test_aozoras_markup_is_taken_out(encoding: str) -> None:
    source = AOZORA.replace("目＋爭", "目＋争").replace("圖", "図").encode(encoding)
    book = parse_text(source)
    assert _matter(book, Matter.BODY) == [
        "上 先生と私",
        "一",
        "私はその人を常に先生と呼んでいた。先生一人麦藁帽を被っていた。",
        "葉を挘ぎ取った。",
        "二",
        "眼を睁った。〻の字。〓",
    ]
    assert _matter(book, Matter.BACK)[0] == "底本：「こころ」集英社文庫、集英社"
    assert _matter(book, Matter.FRONT)[:2] == ["こころ", "夏目漱石"]
    assert (book.metadata.title, book.metadata.authors) == ("こころ", ("夏目漱石",))
    assert book.metadata.language == "ja"


def test_aozoras_headings_have_the_levels_of_their_sizes() -> None:
    chapters = parse_text(AOZORA).chapters
    assert [(chapter.level, chapter.title) for chapter in chapters] == [
        (1, "上 先生と私"),
        (2, "一"),
        (2, "二"),
    ]


def test_japanese_text_that_is_not_aozoras_keeps_its_brackets() -> None:
    book = parse_text("《山月記》を読んだ。［＃注］とは何か。\n" * 3)
    assert book.blocks[0].text == "《山月記》を読んだ。［＃注］とは何か。"


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("私《わたくし》は", "私は"),
        ("先生一人｜麦藁帽《むぎわらぼう》を", "先生一人麦藁帽を"),
        ("Ａ｜Ｂ", "Ａ｜Ｂ"),
        ("［＃「谷町に」はママ］住《すむ》", "住"),
        ("※［＃「口＋愛」、第3水準1-15-23］", "噯"),
        ("※［＃「插」でつくりの縦棒が下に突き抜けている、第4水準2-13-28］", "揷"),
        ("※［＃「丂」、U+4E02、9-1］", "丂"),
        ("※［＃「変」、U+D800、9-1］", "〓"),
        ("※［＃「へんな字」、9-1］", "〓"),
        ("※［＃第3水準1-99-99］", "〓"),
    ],
)
def test_notation(marked: str, plain: str) -> None:
    assert strip_markup(marked) == plain


@pytest.mark.parametrize(
    ("opening", "title", "authors"),
    [
        ("Arthur Conan Doyle\n\nThe Hound of the Baskervilles", "The Hound of the Baskervilles",
         ("Arthur Conan Doyle",)),
        ("Franz Kafka\n\nDas Schloß", "Das Schloß", ("Franz Kafka",)),
        ("The Castle\n\nFranz Kafka", "The Castle", ("Franz Kafka",)),
        ("Pride and Prejudice\n\nby Jane Austen", "Pride and Prejudice", ("Jane Austen",)),
        ("Александр Сергеевич Пушкин\n\nЕвгений Онегин\n\nРоман в стихах", "Евгений Онегин",
         ("Александр Сергеевич Пушкин",)),
        ("ОТЦЫ И ДЕТИ", "ОТЦЫ И ДЕТИ", ()),
        ("Andersen's Fairy Tales", "Andersen's Fairy Tales", ()),
        ("《红楼梦》曹雪芹", "红楼梦", ("曹雪芹",)),
        ("《西游记》吴承恩（明）", "西游记", ("吴承恩",)),
        ("《水浒传》作者；施耐庵", "水浒传", ("施耐庵",)),
        ("书名：围城\n作者：钱钟书", "围城", ("钱钟书",)),
        ("www.books.example 免费下载\n\n《白鹿原》", "白鹿原", ()),
        ("Title: Some Book\n\nAuthor: Ann Other", "Some Book", ("Ann Other",)),
    ],
)  # fmt: skip
def test_title_pages(opening: str, title: str, authors: tuple[str, ...]) -> None:
    book = parse_text(f"{opening}\n\n\nChapter 1\n\n{STORY}\n\nChapter 2\n\n{STORY}", name="x.txt")
    assert (book.metadata.title, book.metadata.authors) == (title, authors)
    assert _matter(book, Matter.FRONT)
    assert book.chapters[0].title == "Chapter 1"


def test_a_book_that_begins_with_its_text_is_named_after_the_file() -> None:
    book = parse_text(f"{STORY}\n{STORY}", name="sleepy_hollow-utf8.txt")
    assert book.metadata.title == "sleepy hollow"
    assert not _matter(book, Matter.FRONT)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("h-g-wells_the-time-machine.txt", "The Time Machine"),
        ("pg1342-pride-and-prejudice.txt", "pride and prejudice"),
        ("《血色浪漫》作者：都梁.txt", "血色浪漫"),
        ("西游记-gbk-lf.txt", "西游记"),
        ("The Trial.txt", "The Trial"),
        (".txt", ".txt"),
    ],
)
def test_titles_from_file_names(name: str, title: str) -> None:
    assert title_from_name(name) == title


def test_a_text_of_a_few_short_lines_is_all_body() -> None:
    book = parse_text("An old silent pond\nA frog jumps into the pond\nSplash! Silence again\n")
    assert not _matter(book, Matter.FRONT)
    assert all(block.kind is BlockKind.VERSE for block in book.blocks)
