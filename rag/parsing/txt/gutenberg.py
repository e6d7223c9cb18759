"""Project Gutenberg's frame around a book: its header and its licence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.parsing.txt.frame import Frame
from rag.parsing.txt.source import Line

_MENTION = re.compile(r"project gutenberg", re.IGNORECASE)
_START = re.compile(
    r"\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG|\*END[* ]*THE SMALL PRINT", re.IGNORECASE
)
_END = re.compile(
    r"(?:\*{3} ?)?END OF (?:THE |THIS )?PROJECT GUTENBERG|\*{3} ?START: FULL LICENSE"
    r"|(?:Ende|Fin|Fine)\b.{1,20}\bProje[ck]t Gutenberg",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\[?(?P<name>[A-Z][a-z]+(?: [A-Za-z]+){0,3}):\s+(?P<value>\S.*)")
_FIELD_INDENT = 4
_CREDIT = re.compile(
    r"(?:This (?:e-?book|e-?text) was )?(?:Produced|Prepared|Transcribed|Scanned|E-?text prepared)"
    r"(?: and \w+)? (?:by|from)\b|\[?Transcriber[’']s notes?",
    re.IGNORECASE,
)
_HEADER_LINES = 400
_CREDIT_LINES = 40
_LANGUAGES = {
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "latin": "la",
    "russian": "ru",
    "chinese": "zh",
    "japanese": "ja",
    "finnish": "fi",
    "swedish": "sv",
    "danish": "da",
    "norwegian": "no",
    "polish": "pl",
    "hungarian": "hu",
    "greek": "el",
    "esperanto": "eo",
    "catalan": "ca",
    "czech": "cs",
    "tagalog": "tl",
    "welsh": "cy",
    "hebrew": "he",
}


def find_frame(lines: Sequence[Line]) -> Frame | None:
    """Find header and licence; None where the file is not Project Gutenberg's."""
    first = _after_header(lines)
    end = next(
        (index for index in range(first, len(lines)) if _END.match(lines[index].text)), len(lines)
    )
    headed = any(_MENTION.search(line.text) for line in lines[:_HEADER_LINES])
    if not headed and end == len(lines):
        return None
    fields = _fields(lines[:first])
    return Frame(
        _after_credits(lines, first, end),
        end,
        title=fields.get("title"),
        authors=_authors(fields.get("author", "")),
        language=_LANGUAGES.get(fields.get("language", "").casefold()),
        published=fields.get("release date", "").partition("[")[0].strip() or None,
    )


def _after_header(lines: Sequence[Line]) -> int:
    for index, line in enumerate(lines[:_HEADER_LINES]):
        if _START.match(line.text):
            after = index + 1
            while after < len(lines) and lines[after].text:  # the marker may be wrapped
                after += 1
            return after
    return 0


def _after_credits(lines: Sequence[Line], first: int, end: int) -> int:
    """Skip the paragraphs that say who produced the file."""
    index = first
    while index < min(end, first + _CREDIT_LINES):
        if _CREDIT.match(lines[index].text):
            while index < end and lines[index].text:
                index += 1
            first = index
        index += 1
    return first


def _fields(header: Sequence[Line]) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in header:
        found = _FIELD.match(line.text)
        if found:
            name = found["name"].casefold()
            fields.setdefault(name, found["value"].strip())
        elif line.text and name in ("title", "author") and line.indent >= _FIELD_INDENT:
            fields[name] += f" {line.text}" if name == "author" else f": {line.text}"
        else:
            name = ""
    return fields


def _authors(value: str) -> tuple[str, ...]:
    """Split “A and B” and “A, B and C”; “Dumas, père” stays whole."""
    if not value or value.casefold() in ("various", "anonymous", "unknown"):
        return ()
    names = re.split(r"\s+(?:and|&)\s+", value)
    return tuple(name for part in names for name in re.split(r",\s+(?=\S+\s+\S)", part) if name)
