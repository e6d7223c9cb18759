"""Title and author from a book's first lines, where no frame gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rag.parsing.txt.layout import runs
from rag.parsing.txt.source import Line

_LONGEST_RUN = 3  # lines
_WIDEST = 72  # cells
_ADDRESS = re.compile(r"https?://|www\.", re.IGNORECASE)
_BRACKETED = re.compile(
    r"《(?P<title>[^》]{1,40})》\s*(?:作\s*者\s*[：:；;]?)?\s*(?P<author>[^\s：:；;。，]{0,20})$"
)
_BY = re.compile(
    r"(?:(?:written )?by|von|par|por|di|автор|作\s*者|著\s*者)\s*[：:；;]?\s+(?P<author>\S.{1,60})$"
    r"|作\s*者\s*[：:；;]\s*(?P<chinese>\S{1,20})$",
    re.IGNORECASE,
)
_DYNASTY = re.compile(r"^[（(][^）)]{1,3}[）)]|[（(][^）)]{1,3}[）)]$|\s*[著撰]$")
_NAME_WORD = re.compile(r"(?:[^\W\d_][^\W\d_'’-]*\.?|[^\W\d_]\.-?[^\W\d_]\.)+(?:[-'’][^\W\d_]+)*$")
_NOT_NAMES = frozenset(
    "the a an of in and or on to der die das ein eine und von im le la les un une et el los las il"
    " lo i gli o os as".split()
)
_PARTICLES = frozenset("von van de da del della di le la du des der y e зы фон".split())
_PATRONYMIC = re.compile(r"\w+(?:ович|евич|овна|евна|ична|ич)$")
_SLUGS = re.compile(r"[a-z0-9-]+_(?P<title>[a-z0-9]+-[a-z0-9-]+)")  # author_title, as slugs
_NUMBER_PREFIX = re.compile(r"^(?:pg|gutenberg)?\d+[-_. ]+", re.IGNORECASE)
_SUFFIX_NOTE = re.compile(
    r"[-_. ](?:utf-?8|utf-?16\w*|ansi|gbk|gb18030|gb2312|big5|sjis|latin1|cp\d+|koi8r?|bom|crlf|lf|cr"
    r"|txt|ascii|full|ebook)$",
    re.IGNORECASE,
)


def opening_end(lines: Sequence[Line], first: int, limit: int) -> int:
    """Return the line after the title page: the short lines set apart before the first paragraph.

    Args:
        lines: the file's.
        first: where the book begins.
        limit: its first heading or table of contents, or its end.
    """
    end = first
    for start, stop in runs(lines, first, limit):
        run = lines[start:stop]
        advertised = any(_ADDRESS.search(line.text) for line in run)
        if not advertised and not _is_title_page(run):
            break
        end = stop
    return end


def _is_title_page(run: Sequence[Line]) -> bool:
    if len(run) > _LONGEST_RUN or any(line.width > _WIDEST for line in run):
        return False
    return run[0].text[-1] not in ",;!?…，；。！？" and run[0].text[0] not in '-–—"“«「'


def title_and_authors(lines: Sequence[Line], first: int, end: int) -> tuple[str, tuple[str, ...]]:
    """Return the title and the authors on a title page, "" and () where it does not show them."""
    opening = [line.text for line in lines[first:end] if line.text]
    for text in opening:
        if found := _BRACKETED.match(text):
            author = _DYNASTY.sub("", found["author"])
            return found["title"], (author,) if author else ()
    for place, text in enumerate(opening[:6]):
        if found := _BY.match(text):
            author = (found["author"] or found["chinese"]).strip(" .")
            return opening[place - 1] if place else "", (author,)
    if len(opening) >= 2:
        return _title_beside_name(opening[0], opening[1])
    return (opening[0] if opening and opening[0][-1] not in ".。" else ""), ()


def title_from_name(name: str) -> str:
    """Return a file's name without its ending, numbers and notes of encoding, as a title."""
    stem = Path(name).stem
    while (shorter := _SUFFIX_NOTE.sub("", stem)) != stem:
        stem = shorter
    stem = _NUMBER_PREFIX.sub("", stem)
    if found := _SLUGS.fullmatch(stem):
        stem = found["title"].title()
    title = re.sub(r"[_\s]+", " ", stem if " " in stem else stem.replace("-", " ")).strip()
    return title or name


def _title_beside_name(above: str, below: str) -> tuple[str, tuple[str, ...]]:
    above_is_name, below_is_name = _is_name(above), _is_name(below)
    if above_is_name and below_is_name:
        above_is_name = any(_PATRONYMIC.match(word) for word in above.split())
        below_is_name = not above_is_name
    if above_is_name:
        return below, (above,)
    return above, (below,) if below_is_name else ()


def _is_name(text: str) -> bool:
    """Say whether `text` looks like a person's name: two to four capitalised words."""
    words = text.split()
    if not 2 <= len(words) <= 5 or words[0].casefold() in _NOT_NAMES:
        return False
    return all(
        word.casefold() in _PARTICLES or (word[0].isupper() and _NAME_WORD.match(word) is not None)
        for word in words
    )
