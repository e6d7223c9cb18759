"""Numbers in the reader's words, and words of books made safe to show."""

from __future__ import annotations

import html


def percentage(fraction: float) -> str:
    """Return a share as whole percent, cut and not rounded: 100% is the very end."""
    return f"{int(fraction * 100)}%"


def duration(seconds: float) -> str:
    """Return a time as roughly as one would say it."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = seconds / 60
    if minutes < 60:
        return f"{round(minutes)} min"
    return f"{minutes / 60:.1f} h"


def count(number: int, one: str, many: str) -> str:
    """Return a number with its noun: "one book", "12 books"."""
    return f"one {one}" if number == 1 else f"{number:,} {many}"


def plain_tip(text: str) -> str:
    """Return a text for where Qt guesses whether it is mark-up, so that it is shown as it stands.

    Tooltips and message boxes guess; a book's title could otherwise bring pictures with it.
    """
    return f"<p style='white-space: pre-wrap'>{html.escape(text)}</p>"
