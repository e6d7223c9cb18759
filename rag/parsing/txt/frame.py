"""What stands around a book in its file, and what that says of the book."""

from __future__ import annotations

from dataclasses import dataclass

from core.text import Matter


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the book itself lies in its file.

    Attributes:
        first: index of the first line after a distributor's header.
        end: index of the line a distributor's licence or colophon begins with, or the number of
            lines.
        end_matter: what stands from `end` on.
        title: as the frame gives it; None where it gives none. Likewise the rest.
        authors: names in the order they are written.
        language: BCP 47 tag.
        published: the date of release, in the frame's own words.
    """

    first: int
    end: int
    end_matter: Matter = Matter.LICENCE
    title: str | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    published: str | None = None
