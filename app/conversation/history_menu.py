"""The menu of conversations that were kept."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from core.conversations import Conversation

_LISTED_CONVERSATIONS = 20
_TITLE_CHARACTERS = 60


class HistoryMenu(QMenu):
    """The conversations used last, and a way to remove the one that is shown.

    Signals:
        chosen: a `Conversation` to show.
        removeWanted: the one shown is to go.
    """

    chosen = Signal(object)
    removeWanted = Signal()

    def __init__(
        self, kept: Sequence[Conversation], shown: Conversation | None, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for conversation in kept[:_LISTED_CONVERSATIONS]:
            self._offer(conversation, shown)
        if not kept:
            self.addAction("No conversation yet").setEnabled(False)
        if shown is not None:
            self.addSeparator()
            self.addAction("Remove this conversation", self.removeWanted.emit)

    def _offer(self, conversation: Conversation, shown: Conversation | None) -> None:
        title = " ".join(conversation.title.split())
        if len(title) > _TITLE_CHARACTERS:
            title = f"{title[:_TITLE_CHARACTERS]}…"
        action = self.addAction(title.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(shown is not None and conversation.id == shown.id)
        action.triggered.connect(lambda: self.chosen.emit(conversation))
