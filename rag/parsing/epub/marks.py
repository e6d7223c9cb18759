"""Marks in the text that are not the text: numbers of notes and of printed pages.

They are left out, so that search and quotes read as the author wrote. Books also mark whole words
as references to notes, and wrap text in page breaks; what does not read like a mark is kept.
"""

from __future__ import annotations

import re

from rag.parsing.epub.markup import Element

_MAX_PAGE_NUMBER = 12
_MAX_MARK = 24
"""Characters that a mark has at most."""
_MAX_HREF = 500
"""A longer reference is not looked through."""

_LABEL = re.compile(r"[\[({]?(?:\d{1,4}|[*†‡§¶]{1,4}|[a-z]|[ivxlc]{1,6})[\])}]?[.:]?")
_NOTE_TARGET = re.compile(r"#.*(?:note|fn|ftn)|(?:foot|end)?notes?[\w-]*\.\w+#", re.IGNORECASE)
_ARROWS = re.compile("[\u2190-\u21ff\u2934\u2b06\u23ce^\ufe0e\ufe0f\\s]+")
_BACK = re.compile(r"\b(?:back|return|retour|zurück|volver|torna|назад)\b", re.IGNORECASE)


def label_of(element: Element) -> str:
    """Return the text of an element, stripped, but of what is too long for a mark the beginning."""
    label = ""
    for text in element.itertext():
        label = (label + text).lstrip()
        if len(label.rstrip()) > _MAX_MARK:
            break  # tags that are never closed hold the rest of the page, each of them
    return label.rstrip()


def is_page_number(label: str) -> bool:
    """Say whether the text of a page-break marker is only a page's number."""
    return len(label) <= _MAX_PAGE_NUMBER


def is_declared_mark(label: str) -> bool:
    """Say whether what the mark-up calls a reference to a note (or back) reads like a mark."""
    if len(label) > _MAX_MARK:
        return False
    wordless = not any(character.isalpha() for character in label)
    numbered = any(character.isdigit() for character in label)
    return wordless or numbered or len(label) <= 2 or _BACK.search(label) is not None


def is_likely_mark(label: str, href: str) -> bool:
    """Say whether a plain link is a note's number, or the arrow that leads back from it."""
    if "#" not in href or not label or len(label) > _MAX_MARK or len(href) > _MAX_HREF:
        return False
    if _ARROWS.fullmatch(label):
        return True
    return bool(_LABEL.fullmatch(label) and _NOTE_TARGET.search(href))
