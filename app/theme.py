"""How Postil looks: its colours and sizes, light and dark, in one place.

The look is that of a printed page with a rubric: warm paper, quiet borders, and one accent, the red
in which scribes set headings and marginal notes. Sizes keep to a grid of 4 pixels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.resources import files
from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from app.fonts import UI_FAMILIES, UI_POINT_SIZE
from core.settings import Theme as ThemeChoice


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one scheme, as `#rrggbb` where nothing else is said.

    Attributes:
        window: behind everything, and the bars.
        side: the side panes.
        surface: cards and fields on the panes.
        page: under the text of a book.
        hover: under the pointer.
        pressed: while pressed, and what is chosen without focus.
        border: quiet lines.
        border_strong: lines round fields.
        text: words.
        muted: words that matter less; still 4.5 to 1 against every ground they stand on.
        faint: marks that nobody needs to read.
        accent: what can be pressed and what is chosen.
        accent_hover: the same under the pointer.
        accent_tint: a ground in the accent's hue.
        on_accent: words on the accent.
        highlight: behind a cited passage.
        found: behind the other places that a search found.
        danger: errors.
        danger_tint: a ground for errors.
        veil: over the window while books hover over it, as `#aarrggbb`.
    """

    window: str
    side: str
    surface: str
    page: str
    hover: str
    pressed: str
    border: str
    border_strong: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    accent_tint: str
    on_accent: str
    highlight: str
    found: str
    danger: str
    danger_tint: str
    veil: str


LIGHT = Colours(
    window="#f3f0e9",
    side="#f7f4ee",
    surface="#fffefb",
    page="#fdfbf6",
    hover="#ece8de",
    pressed="#e4dfd2",
    border="#e5dfd3",
    border_strong="#cfc8b8",
    text="#25221c",
    muted="#676155",
    faint="#a39c8d",
    accent="#9a3526",
    accent_hover="#842b1e",
    accent_tint="#f5e4dc",
    on_accent="#fffaf5",
    highlight="#fce8a6",
    found="#f3ead0",
    danger="#a8281f",
    danger_tint="#f9e3df",
    veil="#eafdfbf6",
)

DARK = Colours(
    window="#171614",
    side="#1c1b18",
    surface="#262420",
    page="#1a1916",
    hover="#2b2924",
    pressed="#35322c",
    border="#2f2c27",
    border_strong="#48443b",
    text="#e8e3d7",
    muted="#a8a193",
    faint="#6f695d",
    accent="#e0876f",
    accent_hover="#eb9a84",
    accent_tint="#3a2822",
    on_accent="#20110c",
    highlight="#5b4a17",
    found="#38321f",
    danger="#f0836f",
    danger_tint="#3d231e",
    veil="#e81a1916",
)


def stylesheet(colours: Colours) -> str:
    """Return the window's stylesheet in these colours."""
    template = Template(files("resources.styles").joinpath("window.qss").read_text("utf-8"))
    return template.substitute(asdict(colours))


class Theme(QObject):
    """The look in force: follows the system until the reader chooses.

    Signals:
        changed: the colours are other ones; what paints for itself paints again.
    """

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._choice = ThemeChoice.SYSTEM
        self._applied: Colours | None = None
        application.setStyle("Fusion")
        font = application.font()
        font.setFamilies(list(UI_FAMILIES))
        font.setPointSizeF(UI_POINT_SIZE)
        application.setFont(font)
        application.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    @property
    def colours(self) -> Colours:
        """The colours in force."""
        if self._choice is ThemeChoice.DARK:
            return DARK
        if self._choice is ThemeChoice.LIGHT:
            return LIGHT
        scheme = self._application.styleHints().colorScheme()
        return DARK if scheme == Qt.ColorScheme.Dark else LIGHT

    @property
    def choice(self) -> ThemeChoice:
        """What the reader chose."""
        return self._choice

    def choose(self, choice: ThemeChoice) -> None:
        """Follow the system, or keep to light or dark."""
        self._choice = choice
        self._apply()

    def _apply(self) -> None:
        if self._applied is self.colours:
            return
        self._applied = self.colours
        self._application.setPalette(_qt_palette(self.colours))
        self._application.setStyleSheet(stylesheet(self.colours))
        self.changed.emit()


def _qt_palette(colours: Colours) -> QPalette:
    """Colours for what no stylesheet reaches: native menus, selections, item views."""
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colours.window,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.surface,
        QPalette.ColorRole.AlternateBase: colours.side,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.Button: colours.surface,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.BrightText: colours.on_accent,
        QPalette.ColorRole.ToolTipBase: colours.surface,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.muted,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.on_accent,
        QPalette.ColorRole.Link: colours.accent,
        QPalette.ColorRole.LinkVisited: colours.accent,
        QPalette.ColorRole.Light: colours.surface,
        QPalette.ColorRole.Midlight: colours.border,
        QPalette.ColorRole.Mid: colours.border_strong,
        QPalette.ColorRole.Dark: colours.border_strong,
        QPalette.ColorRole.Shadow: colours.border_strong,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.Text,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.faint))
    return palette
