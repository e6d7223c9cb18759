"""What verification did to a reply."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Verdicts:
    """What verification did to a reply, counted.

    Attributes:
        quotes_whole: quotes found whole.
        quotes_elsewhere: of those, quotes found outside the passages sent.
        quotes_shortened: quotes of which only runs were found.
        quotes_dropped: quotes that no book has.
        quotes_unmarked: short quotes that no passage has, shown as plain words.
        marks_moved: marks that were given to another passage.
        marks_dropped: marks that name no passage, or that nothing supports.
        sentences_cited: sentences that got a citation the model had not given.
        sentences_withheld: sentences that may tell what the reader has not read.
    """

    quotes_whole: int = 0
    quotes_elsewhere: int = 0
    quotes_shortened: int = 0
    quotes_dropped: int = 0
    quotes_unmarked: int = 0
    marks_moved: int = 0
    marks_dropped: int = 0
    sentences_cited: int = 0
    sentences_withheld: int = 0

    def as_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)
