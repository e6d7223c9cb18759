"""What a question is put to, and who answers it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup

from app.actions import Actions
from app.conversation.composer import Picker
from core.endpoints import LOCAL_PREFIX, Endpoint

NO_MODEL = "No model, passages only"


class ScopeChoice(StrEnum):
    """Where an answer may come from."""

    BOOK = "book"
    TO_HERE = "to_here"
    LIBRARY = "library"


_SCOPE_WORDS = {
    ScopeChoice.BOOK: "This book",
    ScopeChoice.TO_HERE: "This book up to where I am",
    ScopeChoice.LIBRARY: "Whole library",
}
_SCOPE_ACTIONS = {
    ScopeChoice.BOOK: "scope_book",
    ScopeChoice.TO_HERE: "scope_place",
    ScopeChoice.LIBRARY: "scope_library",
}


class ScopePicker(Picker):
    """Chooses among the open book, what was read of it, and the whole library.

    Signals:
        changed: the `ScopeChoice` that the reader made.
    """

    changed = Signal(object)

    def __init__(self, actions: Actions) -> None:
        super().__init__("Ask", "Where the answer may come from (Ctrl+1, Ctrl+2, Ctrl+3)")
        self._actions = {choice: actions[name] for choice, name in _SCOPE_ACTIONS.items()}
        self._wanted = ScopeChoice.BOOK
        self._book_open = False
        group = QActionGroup(self)
        for choice, action in self._actions.items():
            group.addAction(action)
            self.menu().addAction(action)
            action.triggered.connect(lambda _=False, choice=choice: self._choose(choice))
        self._tell()

    @property
    def choice(self) -> ScopeChoice:
        """What holds now; without an open book it is the whole library."""
        return self._wanted if self._book_open else ScopeChoice.LIBRARY

    def set_choice(self, choice: ScopeChoice) -> None:
        """Take up what was chosen before."""
        self._wanted = choice
        self._tell()

    def set_book_open(self, is_open: bool) -> None:
        """Offer the book's scopes only while one is open."""
        self._book_open = is_open
        self._tell()

    def _choose(self, choice: ScopeChoice) -> None:
        self.set_choice(choice)
        self.changed.emit(choice)

    def _tell(self) -> None:
        for choice, action in self._actions.items():
            action.setEnabled(self._book_open or choice is ScopeChoice.LIBRARY)
        self._actions[self.choice].setChecked(True)
        self.tell(_SCOPE_WORDS[self.choice])


class EndpointPicker(Picker):
    """Chooses who answers.

    Signals:
        chosen: name of an endpoint, or of a model here after `local:`; None for no model.
        endpointWanted: the reader wants to add one.
    """

    chosen = Signal(object)
    endpointWanted = Signal()

    def __init__(self, actions: Actions) -> None:
        action = actions["pick_endpoint"]
        super().__init__("Answered by", action.toolTip())
        self._manage: QAction = actions["endpoints"]
        self._models: QAction = actions["local_models"]
        self._group = QActionGroup(self)
        action.triggered.connect(self.showMenu)
        self.show_answerers((), (), None)

    def show_answerers(
        self, local_models: Sequence[str], endpoints: Sequence[Endpoint], current: str | None
    ) -> None:
        """Offer no model, the models on this computer, and the endpoints."""
        menu = self.menu()
        menu.clear()
        self._offer(NO_MODEL, None, current)
        for model in local_models:
            self._offer(f"{model}, on this computer", f"{LOCAL_PREFIX}{model}", current)
        for endpoint in endpoints:
            self._offer(endpoint.name, endpoint.name, current)
        menu.addSeparator()
        menu.addAction(self._models)
        menu.addAction("Add an endpoint…", self.endpointWanted.emit)
        if endpoints:
            menu.addAction(self._manage)
        self.tell("No model" if current is None else current.removeprefix(LOCAL_PREFIX))

    def _offer(self, words: str, name: str | None, current: str | None) -> None:
        action = self.menu().addAction(words.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(name == current)
        self._group.addAction(action)
        action.triggered.connect(lambda: self.chosen.emit(name))
