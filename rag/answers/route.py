"""Which questions the database answers exactly, with no model: counts, contents, length.

The rules are regular expressions by language, from `resources/prompts`; a question that none of
them takes whole is open, and goes to retrieval.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from rag.answers.prompt import LANGUAGES
from rag.answers.quotation_marks import QUOTATION_MARKS

MAX_QUESTION_CHARACTERS = 300
"""A longer question is no plain one; and no expression is tried on a text without end."""
_MAX_WORDS_COUNTED = 8

_MARKS = "".join({*QUOTATION_MARKS, *"”“\"'‘’«»‹›„‚」』"})


class RouteKind(StrEnum):
    """What a question asks for."""

    COUNT = "count"
    CONTENTS = "contents"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a question goes.

    Attributes:
        kind: what it asks for.
        what: for a count, the words to count, as the reader wrote them.
    """

    kind: RouteKind
    what: str = ""


class ExactPhrases(BaseModel):
    """One language's rules, and the phrases of the answers; `$name` marks what is filled in.

    Attributes:
        count: expressions with a group `what`.
        several: tells that `what` names more than one thing, where it is not in quotation marks.
        contents: expressions.
        length: expressions.
        counted: takes $what, $count and $where; so do `counted_once` and `counted_never`.
        first: stands before the first mention.
        last: stands before the last one.
        contents_of: takes $where and $count; `contents_so_far` is for a book read in part.
        no_contents: takes $where.
        more: takes $count.
        length_of: takes $where, $words, $characters, $pages and $hours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: tuple[str, ...]
    several: str
    contents: tuple[str, ...]
    length: tuple[str, ...]
    counted: str
    counted_once: str
    counted_never: str
    first: str
    last: str
    contents_of: str
    contents_so_far: str
    no_contents: str
    more: str
    length_of: str


@cache
def exact_phrases(language: str) -> ExactPhrases:
    """Return the rules and phrases of a language, or of English where it has none."""
    primary = language.partition("-")[0].lower()
    name = primary if primary in LANGUAGES else LANGUAGES[0]
    data = (files("resources") / "prompts" / f"exact.{name}.toml").read_text(encoding="utf-8")
    return ExactPhrases.model_validate(tomllib.loads(data))


def route(question: str, language: str) -> Route | None:
    """Return where a question goes; None for an open one."""
    asked = " ".join(question.split()).strip(" ?？.。!！¿")
    if len(asked) > MAX_QUESTION_CHARACTERS:
        return None
    phrases = exact_phrases(language)
    for pattern in phrases.count:
        if found := re.fullmatch(pattern, asked, re.IGNORECASE):
            what = found["what"].strip(f"{_MARKS} ")
            if what == found["what"] and re.search(phrases.several, what, re.IGNORECASE):
                return None  # two counts, or a title: nobody can tell which
            if what and len(what.split()) <= _MAX_WORDS_COUNTED:
                return Route(RouteKind.COUNT, what)
    for kind, patterns in (
        (RouteKind.CONTENTS, phrases.contents),
        (RouteKind.LENGTH, phrases.length),
    ):
        if any(re.fullmatch(pattern, asked, re.IGNORECASE) for pattern in patterns):
            return Route(kind)
    return None
