"""The title page of a book without a distributor's header: where it ends, and whom it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rag.parsing.txt.layout import is_rule, runs
from rag.parsing.txt.source import Line

_LONGEST_RUN = 3  # lines
_LONGEST_NOTICE = 12
_WIDEST = 72  # cells
_WIDEST_SENTENCE = 45
_MOST_WORDS = 2  # before a full stop that does not end a sentence: “Faust. Zweiter Teil.”
_WIDEST_TITLE = 60
_ADDRESS = re.compile(r"https?[:：]|www\.|[a-z]\.(?:com|net|org)\b", re.IGNORECASE)
_ADVERTISEMENT = re.compile(r"下载|下載|电子书|電子書|整理|声明|版权|更新|copyright", re.IGNORECASE)
_NOT_OPENERS = tuple('-–—"“«「')
_PAUSES = tuple(",;!?…，；。！？")

_BRACKETED = re.compile(r"[\[【]?\s*《(?P<title>[^》]{1,40})》\s*(?P<rest>.*)")
_TITLE_LABEL = re.compile(
    r"(?:书\s*名|書\s*名|作品名|title|titel|titre|título|название)\s*[：:]\s*(.+)", re.IGNORECASE
)
_AUTHOR_LABEL = re.compile(
    r"(?:作\s*者|著\s*者|作家|author|autor|auteur|автор)\s*[：:；;]\s*(?P<name>\S.{0,60})",
    re.IGNORECASE,
)
_BY = re.compile(r"(?i:(?:written )?(?:by|von|par|por))\s+(?P<name>[^\W\d_a-z].{1,60})")
_CHINESE_AUTHOR = re.compile(r"(?P<name>(?:[（(]\w{1,3}[）)])?\s*[\w·]{2,12})\s*[著撰]")
_DYNASTY = re.compile(
    r"^\s*[（(\[][^）)\]]{1,3}[）)\]]\s*|\s*[（(\[][^）)\]]{1,3}[）)\]]$|\s*[著撰]$"
)
_CHINESE_NAME = re.compile(r"[\u3400-\u9fff][\u3400-\u9fff·•・]{1,13}|[\u3400-\u9fff·A-Z.]{2,14}")
_NOT_CHINESE_NAMES = re.compile(r"[的了是在]|全[集本文]|目[录錄]|题记|简介|查看|完结|连载|作品")

_NAME_WORD = re.compile(r"(?:[^\W\d_]\.)+|[^\W\d_]+(?:[-'’][^\W\d_]+)*\.?")
_ARTICLES = frozenset(
    (
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "to",
        "der",
        "die",
        "das",
        "ein",
        "eine",
        "im",
        "le",
        "la",
        "les",
        "un",
        "une",
        "el",
        "los",
        "las",
        "il",
        "lo",
        "gli",
        "o",
        "os",
        "as",
    )
)
_JOINING = frozenset(("and", "und", "et", "и", "&", "of", "the"))
_PARTICLES = frozenset(("von", "van", "de", "da", "del", "della", "di", "du", "des", "y", "фон"))
_PATRONYMIC = re.compile(r"\w+(?:ович|евич|овна|евна|ична)", re.IGNORECASE)

_SLUGS = re.compile(r"[a-z0-9-]+_(?P<title>[a-z0-9]+-[a-z0-9-]+)")  # author_title, as slugs
_NUMBER_PREFIX = re.compile(r"^(?:pg|gutenberg)?\d+[-_. ]+", re.IGNORECASE)
_NAME_NOTE = re.compile(
    r"[-_. ](?:utf-?8|utf-?16\w*|gbk|gb18030|big5|sjis|latin1|cp\d+|koi8r?|bom|crlf|lf|cr"
    r"|txt|ascii)$",
    re.IGNORECASE,
)


def opening_end(lines: Sequence[Line], first: int, limit: int, most_runs: int) -> int:
    """Return the line after the title page: the short lines set apart before the first paragraph.

    Args:
        lines: the file's.
        first: where the book begins.
        limit: its first heading or table of contents, or its end.
        most_runs: how many groups of lines a title page may have.
    """
    end = first
    for count, (start, stop) in enumerate(runs(lines, first, limit)):
        run = lines[start:stop]
        advertised = len(run) <= _LONGEST_NOTICE and any(_ADDRESS.search(x.text) for x in run)
        if count == most_runs or not (advertised or _is_title_page(run)):
            return end
        end = stop
    return end if limit < len(lines) else first  # nothing else in the file: then it is the book


def _is_title_page(run: Sequence[Line]) -> bool:
    last = run[-1]
    if len(run) > _LONGEST_RUN or any(line.width > _WIDEST for line in run):
        return False
    if len(run) > 1 and run[0].width > _WIDEST_SENTENCE and run[0].text[-1].islower():
        return False  # a wrapped sentence
    words = last.text.count(" ") + 1
    if last.text.endswith(".") and words > _MOST_WORDS and not last.text.isupper():
        return False  # a sentence, such as an epigraph's
    pauses = run[0].text.endswith(_PAUSES) and not run[0].text.isupper()
    return not pauses and not run[0].text.startswith(_NOT_OPENERS)


def identify(lines: Sequence[Line], first: int, end: int, name: str) -> tuple[str, tuple[str, ...]]:
    """Return title and authors as the title page shows them, else as the file's name does.

    Args:
        lines: the file's.
        first: the title page's first line.
        end: the line after it.
        name: the file's name.
    """
    page = [line for line in lines[first:end] if line.text and not is_rule(line)]
    texts = [line.text for line in page if not _ADDRESS.search(line.text)]
    authors = _labelled_authors(texts) or _labelled_authors([Path(name).stem.replace("_", "：")])
    named = title_from_name(name)
    for text in [line.text for line in page]:
        if found := _BRACKETED.fullmatch(text):
            beside = _chinese_name(found["rest"])
            return found["title"], authors or ((beside,) if beside else ())
        if found := _TITLE_LABEL.fullmatch(text):
            return found[1], authors
    texts = [text for text in texts if _is_title(text) and not _labelled_authors([text])]
    if not texts or any(named in text for text in texts if not named.isascii()):
        return named, authors
    if authors or len(texts) == 1:
        return texts[0], authors
    return _title_beside_name(texts[0], texts[1])


def title_from_name(name: str) -> str:
    """Return a file's name without its ending, numbers and notes of encoding, as a title."""
    stem = Path(name).stem
    if found := _BRACKETED.search(stem):
        return found["title"]
    while (shorter := _NAME_NOTE.sub("", stem)) != stem:
        stem = shorter
    stem = _NUMBER_PREFIX.sub("", stem)
    if found := _SLUGS.fullmatch(stem):
        stem = found["title"].title()
    title = re.sub(r"[_\s]+", " ", stem if " " in stem else stem.replace("-", " ")).strip()
    return title or name


def _is_title(text: str) -> bool:
    letters = sum(character.isalnum() for character in text)
    return (
        2 * letters > len(text)
        and len(text) <= _WIDEST_TITLE
        and text[-1] not in ".。:："
        and not _ADVERTISEMENT.search(text)
    )


def _labelled_authors(texts: Sequence[str]) -> tuple[str, ...]:
    for text in texts:
        if found := _AUTHOR_LABEL.search(text):
            return (_DYNASTY.sub("", found["name"]).strip(" .]】"),)
        if found := _CHINESE_AUTHOR.fullmatch(text) or _BY.fullmatch(text):
            return (_DYNASTY.sub("", found["name"]).strip(" ."),)
    return ()


def _chinese_name(text: str) -> str:
    """Return `text` if it can be a Chinese writer's or a transcribed name, without a dynasty."""
    name = _DYNASTY.sub("", text).strip()
    possible = _CHINESE_NAME.fullmatch(name) and not _NOT_CHINESE_NAMES.search(name)
    return name if possible else ""


def _title_beside_name(above: str, below: str) -> tuple[str, tuple[str, ...]]:
    above_is_name, below_is_name = _is_name(above), _is_name(below)
    if above_is_name and below_is_name:
        above_is_name = any(_PATRONYMIC.fullmatch(word) for word in above.split())
        below_is_name = not above_is_name
    if above_is_name:
        return below, (above,)
    return above, (below,) if below_is_name else ()


def _is_name(text: str) -> bool:
    """Say whether `text` looks like a person's name: two to five capitalised words."""
    words = text.split()
    lower = [word.casefold() for word in words]
    if not 2 <= len(words) <= 5 or lower[0] in _ARTICLES or not _JOINING.isdisjoint(lower):
        return False
    return all(
        word.casefold() in _PARTICLES or (word[0].isupper() and _NAME_WORD.fullmatch(word))
        for word in words
    )
