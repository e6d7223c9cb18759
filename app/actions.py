"""Every action of the window: its words, its key, and a tooltip that names the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from app.icons import icon
from app.theme import Theme


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action.

    Attributes:
        name: what code calls it by.
        text: what menus say; an `&` marks the mnemonic.
        keys: shortcuts in Qt's portable words, the first is the one that is told.
        icon_name: in resources/icons.
        checkable: whether it is a switch.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    icon_name: str | None = None
    checkable: bool = False


GROUPS: dict[str, tuple[ActionSpec, ...]] = {
    "Library": (
        ActionSpec("add_books", "&Add books…", ("Ctrl+O",), "add"),
        ActionSpec("add_folder", "Add a &folder…", ("Ctrl+Shift+O",), "folder"),
        ActionSpec("focus_filter", "&Filter the library", ("Ctrl+L",), "search"),
        ActionSpec("sort_books", "&Sort the library", ("Ctrl+Shift+L",), "sort"),
        ActionSpec("read_book", "&Read", ("Ctrl+Return",), "book"),
        ActionSpec("book_details", "&Details…", ("Ctrl+I",), "info"),
        ActionSpec("show_source", "Show the &source file", ("Ctrl+Shift+E",), "folder"),
        ActionSpec("retry_book", "&Try again", ("Ctrl+R",), "retry"),
        ActionSpec("remove_books", "Re&move", ("Del",), "remove"),
        ActionSpec("undo_removal", "&Undo removing", ("Ctrl+Z",), "return"),
        ActionSpec("embedding_model", "Search by mea&ning…", ("Ctrl+Shift+M",), "search"),
        ActionSpec("show_jobs", "Show how books are &coming in", ("Ctrl+J",), checkable=True),
        ActionSpec("pause_ingest", "&Pause reading in", ("Ctrl+Shift+P",), "pause"),
        ActionSpec("cancel_ingest", "Cancel readin&g in", ("Ctrl+Shift+X",), "close"),
        ActionSpec("quit", "&Quit", ("Ctrl+Q",)),
    ),
    "Reading": (
        ActionSpec("contents", "&Contents", ("Ctrl+T",), "contents"),
        ActionSpec("previous_section", "&Previous chapter", ("Ctrl+PgUp",), "chevron-left"),
        ActionSpec("next_section", "&Next chapter", ("Ctrl+PgDown",), "chevron-right"),
        ActionSpec("back_to_place", "&Back to my place", ("Alt+Left",), "return"),
        ActionSpec("find", "&Find in the book", ("Ctrl+F",), "search"),
        ActionSpec("find_next", "Find n&ext", ("F3",), "chevron-down"),
        ActionSpec("find_previous", "Find pre&vious", ("Shift+F3",), "chevron-up"),
        ActionSpec("larger_text", "&Larger text", ("Ctrl++", "Ctrl+="), "text-larger"),
        ActionSpec("smaller_text", "&Smaller text", ("Ctrl+-",), "text-smaller"),
        ActionSpec("usual_text", "&Usual text size", ("Ctrl+0",)),
    ),
    "Conversation": (
        ActionSpec("focus_question", "&Ask a question", ("Ctrl+K",), "new-conversation"),
        ActionSpec("stop_answer", "S&top the answer", ("Esc",), "stop"),
        ActionSpec("ask_again", "Ask a&gain", ("Ctrl+Shift+R",), "retry"),
        ActionSpec("copy_answer", "Co&py the last answer", ("Ctrl+Shift+C",), "copy"),
        ActionSpec("new_conversation", "&New conversation", ("Ctrl+N",), "new-conversation"),
        ActionSpec("pick_conversation", "&Earlier conversations", ("Ctrl+H",), "chevron-down"),
        ActionSpec("scope_book", "Ask &this book", ("Ctrl+1",), checkable=True),
        ActionSpec("scope_place", "Ask this book up to &where I am", ("Ctrl+2",), checkable=True),
        ActionSpec("scope_library", "Ask the whole &library", ("Ctrl+3",), checkable=True),
        ActionSpec("pick_endpoint", "Choose who a&nswers", ("Ctrl+M",), "endpoint"),
        ActionSpec("local_models", "Models on this co&mputer…", ("Ctrl+Shift+K",), "endpoint"),
        ActionSpec("endpoints", "En&dpoints…", ("Ctrl+E",), "endpoint"),
    ),
    "View": (
        ActionSpec("show_library", "Show the &library", ("F8",), "library", checkable=True),
        ActionSpec("show_conversation", "Show the &conversation", ("F9",), checkable=True),
        ActionSpec("full_screen", "&Full screen", ("F11",), checkable=True),
        ActionSpec("theme_system", "Colours like the &system", ("Ctrl+Alt+0",), checkable=True),
        ActionSpec("theme_light", "L&ight colours", ("Ctrl+Alt+1",), checkable=True),
        ActionSpec("theme_dark", "&Dark colours", ("Ctrl+Alt+2",), checkable=True),
    ),
    "Help": (
        ActionSpec("shortcuts", "&Keyboard shortcuts", ("F1",), "help"),
        ActionSpec("user_guide", "Open the user &guide", ("Shift+F1",), "book"),
        ActionSpec("about", "&About Postil", ("Ctrl+F1",), "info"),
    ),
}


class Actions(QObject):
    """The window's actions by name, each added to the window so that its key works everywhere."""

    def __init__(self, window: QWidget, theme: Theme) -> None:
        super().__init__(window)
        self._window = window
        self._theme = theme
        self._actions: dict[str, QAction] = {}
        self._icon_names: dict[str, str] = {}
        for specs in GROUPS.values():
            for spec in specs:
                self._actions[spec.name] = self._make(spec, window)
        theme.changed.connect(self._draw_icons)
        self._draw_icons()

    def show_as(self, name: str, text: str, icon_name: str) -> None:
        """Give an action other words and another icon, for a switch that says what it will do."""
        self._icon_names[name] = icon_name
        action = self._actions[name]
        if action.text() != text:
            action.setText(text)
            action.setToolTip(_tip(text, action.shortcuts()))
            action.setIcon(icon(icon_name, self._theme.colours))

    def leave_to(self, widget: QWidget, name: str) -> None:
        """Let an action's key work only while a widget has the focus."""
        action = self._actions[name]
        self._window.removeAction(action)
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        widget.addAction(action)

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def _make(self, spec: ActionSpec, window: QWidget) -> QAction:
        action = QAction(spec.text, window)
        action.setObjectName(spec.name)
        action.setCheckable(spec.checkable)
        action.setShortcuts([QKeySequence(keys) for keys in spec.keys])
        action.setToolTip(_tip(spec.text, action.shortcuts()))
        window.addAction(action)
        if spec.icon_name is not None:
            self._icon_names[spec.name] = spec.icon_name
        return action

    def _draw_icons(self) -> None:
        for name, icon_name in self._icon_names.items():
            self._actions[name].setIcon(icon(icon_name, self._theme.colours))


def _tip(text: str, keys: Sequence[QKeySequence]) -> str:
    words = plain_words(text)
    if not keys:
        return words
    return f"{words} ({keys[0].toString(QKeySequence.SequenceFormat.NativeText)})"


def plain_words(text: str) -> str:
    """Return a menu's words without mnemonic and ellipsis."""
    return text.replace("&", "").removesuffix("…")


def native_key(keys: str) -> str:
    """Return a shortcut as this system writes it."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
