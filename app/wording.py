"""Numbers in the reader's words."""

from __future__ import annotations


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
