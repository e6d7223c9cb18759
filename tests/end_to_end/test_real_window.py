"""Postil on a screen: mapped windows, menus that grab the mouse, pixels as a reader sees them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Xvfb is an X server"),
    pytest.mark.model,
]


def test_from_the_first_start_to_the_second(tell: Callable[[str], None]) -> None:
    tell("first_day")
    tell("next_day")
