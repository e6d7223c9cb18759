"""Locators: where in the source of an EPUB the text of a block stands.

A locator is `spine index:path`, optionally narrowed to a run of text inside that element:

    locator  = index ":" path [ "," boundary "," boundary ]
    path     = { "/" even }                 an element, by steps from the root element of the page
    boundary = { "/" even } "/" odd [ ":" offset ]

It is the grammar of EPUB Canonical Fragment Identifiers (EPUB CFI 1.1): `index` is the place, from
0, of the `itemref` in the spine, so that `7:/4/2,/1,/3` is `epubcfi(/6/16!/4/2,/1,/3)`. Child
elements have the even numbers 2, 4, 6, and the text before, between and behind them the odd ones;
comments do not count. The empty path is the root element. A range reaches from the beginning of the
text at its first boundary to the end of the text at its second, both included; where a boundary has
an offset (in lines of preformatted text), it counts code points into that text instead.

The text of a block is the text of its place with left-out elements (notes' marks, readings of
ruby, page numbers, hidden parts; see `walker`) taken away, NFC, white space folded. White space is
not to be relied on: breaks and cells inside a block count as a space, and " | " stands between the
cells of a table row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.parsing.epub.markup import Element

_PATH = r"(?:/\d*[02468])*"
_BOUNDARY = rf"({_PATH}/\d*[13579])(?::(\d+))?"
_LOCATOR = re.compile(rf"(\d+):({_PATH})(?:,{_BOUNDARY},{_BOUNDARY})?")


@dataclass(frozen=True, slots=True)
class Boundary:
    """One end of a run: the piece of text at `steps`, and where in it.

    Attributes:
        steps: steps from the locator's element, the last one odd.
        offset: code points into that text; None for its beginning, or its end at the run's end.
    """

    steps: tuple[int, ...]
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Locator:
    """A locator taken apart.

    Attributes:
        spine_index: place of the page in the spine, from 0.
        steps: even steps from the page's root element.
        run: the two ends of a run of text inside the element, None for the whole of it.
    """

    spine_index: int
    steps: tuple[int, ...]
    run: tuple[Boundary, Boundary] | None = None


def parse_locator(locator: str) -> Locator:
    """Take a locator apart. Raises ValueError where it is not one."""
    match = _LOCATOR.fullmatch(locator)
    if match is None:
        raise ValueError(f"not a locator of an EPUB: {locator!r}")
    index, path, start, start_offset, end, end_offset = match.groups()
    run = None
    if start is not None:
        run = (_boundary(start, start_offset), _boundary(end, end_offset))
    return Locator(int(index), _steps(path), run)


def _steps(path: str) -> tuple[int, ...]:
    return tuple(int(step) for step in path.split("/")[1:])


def _boundary(path: str, offset: str | None) -> Boundary:
    return Boundary(_steps(path), None if offset is None else int(offset))


def find_element(root: Element, steps: tuple[int, ...]) -> Element:
    """Return the element at even `steps` from the root. Raises LookupError where there is none."""
    element = root
    for step in steps:
        children = [child for child in element if isinstance(child.tag, str)]
        if not 0 < step // 2 <= len(children):
            raise LookupError(f"no element at step {step} of {steps}")
        element = children[step // 2 - 1]
    return element
