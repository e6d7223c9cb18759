"""All keys, by what they act on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.actions import GROUPS, native_key, plain_words
from app.widgets import label, quiet_button

_COLUMNS = (("Library", "View"), ("Reading", "Help"), ("Conversation",))
_ELSEWHERE = (
    ("Enter", "Send the question"),
    ("Shift+Enter", "New line in the question"),
    ("Space", "Page on"),
    ("Shift+Space", "Page back"),
)


class ShortcutsDialog(QDialog):
    """A table of keys."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        columns = QHBoxLayout()
        columns.setSpacing(32)
        for groups in _COLUMNS:
            column = QVBoxLayout()
            column.setSpacing(20)
            for name in groups:
                rows = [(s.keys[0], plain_words(s.text)) for s in GROUPS[name] if s.keys]
                column.addWidget(_table(name, rows))
            if groups[0] == "Conversation":
                column.addWidget(_table("While typing and reading", list(_ELSEWHERE)))
            column.addStretch(1)
            columns.addLayout(column)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 24, 24, 16)
        outer.setSpacing(16)
        outer.addLayout(columns)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(quiet_button("Close", self.reject))
        outer.addLayout(row)


def _table(title: str, rows: list[tuple[str, str]]) -> QFrame:
    frame = QFrame()
    grid = QGridLayout(frame)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(6)
    grid.addWidget(label(title, tone="heading"), 0, 0, 1, 2)
    for row, (keys, words) in enumerate(rows, start=1):
        key = label(native_key(keys))
        key.setObjectName("key")
        grid.addWidget(key, row, 0, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(label(words, tone="muted"), row, 1)
    grid.setColumnStretch(1, 1)
    return frame
