"""The endpoints there are, to add, change and remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.background import Background
from app.dialogs.endpoint_dialog import EndpointDialog
from app.event_bridge import EventBridge
from app.widgets import label
from core.endpoints import Endpoint

if TYPE_CHECKING:
    from app.composition import Postil


class EndpointsDialog(QDialog):
    """A list of endpoints that follows the store."""

    def __init__(
        self, postil: Postil, background: Background, bridge: EventBridge, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._postil = postil
        self._background = background
        self._endpoints: Sequence[Endpoint] = ()
        self.setWindowTitle("Endpoints")
        self.setMinimumSize(520, 360)
        self._list = QListWidget()
        self._list.setObjectName("contentsList")
        self._list.setAccessibleName("Endpoints")
        self._list.itemDoubleClicked.connect(lambda _: self._change())
        self._list.itemSelectionChanged.connect(self._enable)
        self._add = _button("&Add…", self.add)
        self._edit = _button("&Change…", self._change)
        self._remove_button = _button("&Remove", self._remove)
        close = _button("Close", self.reject)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self._add, self._edit, self._remove_button):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 20)
        column.setSpacing(16)
        column.addWidget(
            label(
                "Endpoints write answers from the passages that Postil finds. Without one, the "
                "passages speak for themselves.",
                tone="muted",
                wrap=True,
            )
        )
        column.addWidget(self._list, 1)
        column.addLayout(row)
        bridge.endpointsChanged.connect(self._refresh)
        self.finished.connect(lambda: background.cancel("endpoints"))
        self._refresh()
        self._enable()

    def add(self) -> None:
        """Add an endpoint."""
        EndpointDialog(self._postil, self._background, self).open()

    def names(self) -> list[str]:
        """Return the names shown."""
        return [endpoint.name for endpoint in self._endpoints]

    def _refresh(self) -> None:
        self._background.spawn(self._load(), replacing="endpoints")

    async def _load(self) -> None:
        endpoints = await self._background.read(self._postil.library.endpoints.all)
        self._show(endpoints)

    def _show(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        self._list.clear()
        for endpoint in endpoints:
            where = "this computer" if endpoint.is_loopback else endpoint.host
            self._list.addItem(f"{endpoint.name}\n{endpoint.model} · {where}")
        if endpoints:
            self._list.setCurrentRow(0)
        self._enable()

    def _current(self) -> Endpoint | None:
        row = self._list.currentRow()
        return self._endpoints[row] if 0 <= row < len(self._endpoints) else None

    def _change(self) -> None:
        endpoint = self._current()
        if endpoint is not None:
            EndpointDialog(self._postil, self._background, self, endpoint).open()

    def _remove(self) -> None:
        endpoint = self._current()
        if endpoint is not None:
            self._background.spawn(
                self._background.write(self._postil.remove_endpoint, endpoint.name)
            )

    def _enable(self) -> None:
        chosen = self._current() is not None
        self._edit.setEnabled(chosen)
        self._remove_button.setEnabled(chosen)


def _button(text: str, pressed: object) -> QPushButton:
    made = QPushButton(text)
    made.setAutoDefault(False)
    made.clicked.connect(pressed)
    return made
