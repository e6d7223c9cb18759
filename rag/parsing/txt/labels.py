"""How chapter headings are worded: “CHAPTER I. Title”, “Erstes Kapitel”, 第一回, “Часть первая”."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from rag.parsing.txt.numerals import number_of


class Rank(IntEnum):
    """What a heading stands over; a lower value holds the higher ones."""

    VOLUME = 1
    PART = 2
    CHAPTER = 3
    SECTION = 4
    NUMBER = 5


@dataclass(frozen=True, slots=True)
class Label:
    """The reading of a heading line.

    Attributes:
        rank: what kind of part it opens.
        word: the label word, casefolded: headings of one word are of one level; "preface" and the
            like for a named part, "" for a title.
        number: its number; None for a named part or a title.
        title: what follows the number, "" where nothing does.
        run_on: whether it follows with nothing between, as it also does in running Chinese text.
    """

    rank: Rank
    word: str
    number: int | None
    title: str
    run_on: bool = False


_WORDS = {
    Rank.VOLUME: "volume vol tome band tomo tom том volum",
    Rank.PART: "part book teil buch partie livre parte libro livro часть книга deel boek część"
    " księga act actus akt aufzug acte acto atto действие",
    Rank.CHAPTER: "chapter chap kapitel chapitre capítulo capitulo capitolo глава hoofdstuk"
    " rozdział canto chant gesang песнь letter brief lettre carta lettera письмо stave adventure"
    " scene szene auftritt scène escena scena сцена явление fable tale",
    Rank.SECTION: "section abschnitt sección sezione раздел",
}
_RANK_OF = {word: rank for rank, words in _WORDS.items() for word in words.split()}
_NAMED = {
    name
    for row in (
        "preface foreword introduction prologue epilogue prelude interlude postscript afterword"
        " conclusion appendix dedication etymology extracts",
        "vorwort einleitung prolog epilog vorrede nachwort anhang schluß schluss"
        " vorspiel zueignung",
        "préface avant-propos introduction prologue épilogue conclusion appendice postface",
        "prefacio prólogo epílogo introducción conclusión apéndice prefazione prologo epilogo",
        "предисловие введение пролог эпилог послесловие заключение примечания вступление",
        "序 序章 序言 自序 前言 楔子 引子 引言 尾声 尾聲 后记 後記 終章 跋 附录 附錄"
        " プロローグ エピローグ はしがき まえがき あとがき 序文 はじめに おわりに",
    )
    for name in row.split()
}
_ALTERNATIVES = "|".join(sorted(map(re.escape, _RANK_OF), key=len, reverse=True))
_NUMBER = r"[\w'’]+(?:-\w+)?"
_LABELLED = re.compile(
    rf"(?P<word>{_ALTERNATIVES})\b\.?\s+(?:the\s+)?(?P<number>{_NUMBER}(?:\s+\w+)?)"
    r"(?P<rest>.*)",
    re.IGNORECASE,
)
_ORDINAL_FIRST = re.compile(
    rf"(?:(?:der|die|das|the|la|le)\s+)?(?P<number>{_NUMBER})[.ºª°]?\s+(?P<word>{_ALTERNATIVES})\b(?P<rest>.*)",
    re.IGNORECASE,
)
_IDEOGRAPHIC = re.compile(
    r"(?:《[^》]{0,20}》)?(?:目录|正文|正文卷)?[\s　]*[【〈]?"
    r"第\s*(?P<number>[〇零○一二三四五六七八九十百千两兩廿卅\d]{1,7})\s*"
    r"(?P<word>[回章节節卷集部篇折幕話话编編])(?:[\s　:：.、]+|(?=[^的了是在]))?(?P<rest>.*)"
)
_PREFIX = re.compile(r"《[^》]{0,20}》[\s　]*(?:目录|正文)?[\s　]+")
_DECORATION = "-=*~—＝＊ "
_SCROLL = re.compile(
    r"(?P<word>卷)\s*之?(?P<number>[〇零一二三四五六七八九十百千两\d]{1,6})"
    r"(?:[\s　:：.、]+(?P<rest>.*))?$"
)
_IDEOGRAPHIC_RANKS = {
    **dict.fromkeys("卷集部编編", Rank.PART),
    **dict.fromkeys("回章篇折幕話话", Rank.CHAPTER),
    **dict.fromkeys("节節", Rank.SECTION),
}
_NUMBERED = re.compile(
    r"(?P<number>\d{1,3}|[IVXLC]{1,8}|[一二三四五六七八九十百]{1,5})(?P<rest>[.．、:)）]?(?:\s+.*)?)$"
)
# What may follow “first part” in a heading: a title, or whose part it is.
_GENITIVE = re.compile(r"[.:—–-]|[^\W\d_a-zа-яà-ÿ]|(?:of|de|del|der|des|du|di|della|do|da)\s")
_MORE_NUMBERS = re.compile(r"[IVXLC.,\s–-]+")
_TITLE_MARK = re.compile(r"\s*(?:[.:：;,—–\-]+|\s)\s*")
_END_MARKS = '.!?…"”»。！？」'
_LONGEST_TITLE = 300


def read_label(text: str) -> Label | None:
    """Read `text` as a numbered or named heading with a label word, or return None.

    Only the wording is judged here; where the line stands is judged by `headings`.
    """
    if len(text) > _LONGEST_TITLE:
        return None
    if text[0] in "第【《〈卷":
        return _ideographic(text)
    if text.casefold().strip(".:—- \u3000") in _NAMED and text[0].isupper() | (text[0] > "\u3000"):
        return Label(Rank.CHAPTER, text.casefold().strip(".:—- \u3000"), None, text)
    if not (text[0].isupper() or text[0].isdecimal()):
        return None
    return _labelled(text) or _ordinal_first(text)


def undecorated(text: str) -> str:
    """Return a heading without what is drawn around it and repeated before it.

    “* PART ONE *” gives “PART ONE”, and 《西游记》目录 第一回 gives 第一回.
    """
    bare = _PREFIX.sub("", text.strip(_DECORATION))
    return bare or text


def read_number(text: str) -> Label | None:
    """Read `text` as a bare number, or a number and a title (“1. Arrival”), or return None."""
    if len(text) > _LONGEST_TITLE or not (found := _NUMBERED.match(text)):
        return None
    rest = found["rest"]
    if rest[:1] in ("", ".", "．", "、", ":", ")", "）") or rest[:1].isspace():
        title = rest.lstrip(".．、:)） \t\u3000")
        if _MORE_NUMBERS.fullmatch(title):  # “XIII. XIV”: a gap in the text, shown by its numbers
            title = ""
        number = number_of(found["number"])
        marked = rest[:1] in (".", "．", "、", ":") or not title
        if number and marked:
            style = "digits" if found["number"].isdecimal() else "letters"
            return Label(Rank.NUMBER, style, number, title)
    return None


def _labelled(text: str) -> Label | None:
    found = _LABELLED.match(text)
    if not found:
        return None
    words = found["number"].split()
    for count in range(len(words), 0, -1):
        number = number_of(" ".join(words[:count]))
        if number is not None:
            rest = " ".join(["", *words[count:]]).rstrip() + found["rest"]
            return _with_title(found["word"], number, rest)
    return None


def _with_title(word: str, number: int, rest: str) -> Label | None:
    title = rest.strip()
    mark = _TITLE_MARK.match(rest)
    if title and mark:
        title = rest[mark.end() :].strip()
    if title and rest[0].isspace() and not title[0].isupper() and title[0] not in "\"“‘'([":
        return None  # “Part One of the story was …”
    return Label(_RANK_OF[word.casefold()], word.casefold(), number, title)


def _ordinal_first(text: str) -> Label | None:
    found = _ORDINAL_FIRST.match(text)
    number = number_of(found["number"]) if found else None
    if (
        found is None
        or number is None
        or (found["number"].isdecimal() and found["rest"][:1] == " ")
    ):
        return None
    rest = found["rest"].strip()
    if rest and not text.isupper() and (rest[-1] in _END_MARKS or not _GENITIVE.match(rest)):
        return None
    word = found["word"].casefold()
    return Label(_RANK_OF[word], word, number, rest.lstrip(".:—–- "))


def _ideographic(text: str) -> Label | None:
    found = _IDEOGRAPHIC.match(text) or _SCROLL.match(text)
    if not found:
        return None
    rest = (found["rest"] or "").strip(" \u3000】》〉")
    number = number_of(found["number"])
    if number is None or rest[-1:] in ("。", "，", "；", "：", "」", "”", "．") or len(rest) > 60:
        return None
    run_on = text[found.end("word") : found.end("word") + 1].isalnum()
    return Label(_IDEOGRAPHIC_RANKS[found["word"]], found["word"], number, rest, run_on)
