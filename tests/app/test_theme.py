from __future__ import annotations

import re
from dataclasses import asdict
from importlib.resources import files
from itertools import product

import pytest
from PySide6.QtGui import QColor

from app.icons import icon
from app.theme import DARK, LIGHT, Colours, Theme, stylesheet
from core.settings import Theme as ThemeChoice

# (words, ground) that stand on each other in the window.
PAIRS = [
    ("text", "page"),
    ("text", "side"),
    ("text", "surface"),
    ("text", "window"),
    ("text", "highlight"),
    ("text", "found"),
    ("text", "accent_tint"),
    ("text", "danger_tint"),
    ("muted", "page"),
    ("muted", "side"),
    ("muted", "surface"),
    ("muted", "window"),
    ("accent", "side"),
    ("accent", "surface"),
    ("accent", "accent_tint"),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    ("danger", "side"),
    ("danger", "surface"),
]


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("words", "ground"), PAIRS)
def test_words_can_be_read_on_their_ground(colours: Colours, words: str, ground: str) -> None:
    assert contrast(getattr(colours, words), getattr(colours, ground)) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_the_stylesheet_is_filled_in_whole(colours: Colours) -> None:
    sheet = stylesheet(colours)
    assert "$" not in re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    assert sheet.count("{") == sheet.count("}")
    for colour in asdict(colours).values():
        assert QColor(colour).isValid()


def test_a_choice_holds_against_the_system(theme: Theme) -> None:
    changes: list[None] = []
    theme.choose(ThemeChoice.LIGHT)
    theme.changed.connect(lambda: changes.append(None))
    theme.choose(ThemeChoice.DARK)
    assert theme.colours is DARK
    theme.choose(ThemeChoice.DARK)
    assert len(changes) == 1


def test_every_icon_can_be_drawn(theme: Theme) -> None:
    names = [entry.name for entry in files("resources.icons").iterdir()]
    drawings = [name.removesuffix(".svg") for name in names if name.endswith(".svg")]
    assert len(drawings) > 20
    for name in drawings:
        image = icon(name, LIGHT).pixmap(20, 20).toImage()
        places = product(range(image.width()), range(image.height()))
        assert any(image.pixelColor(x, y).alpha() for x, y in places), name
