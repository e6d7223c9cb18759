"""Language tags (BCP 47) as books write them."""

from __future__ import annotations

import re

UNDETERMINED = "und"
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")


def clean_tag(tag: str) -> str:
    """Return a tag in its usual letter case (`zh-Hant-TW`), "" for what is not one."""
    tag = tag.strip().replace("_", "-")
    if not _TAG.fullmatch(tag):
        return ""
    first, *others = tag.lower().split("-")
    return "-".join([first, *(_subtag(subtag) for subtag in others)])


def _subtag(subtag: str) -> str:
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag


def same_language(one: str, other: str) -> bool:
    """Say whether two clean tags are equal, or one only says more than the other (en, en-GB)."""
    return one == other or one.startswith(other + "-") or other.startswith(one + "-")
