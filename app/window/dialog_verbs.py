"""Opens the dialogs that belong to no pane."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMessageBox

from app.background import Background
from app.dialogs.endpoint_dialog import EndpointDialog
from app.dialogs.endpoints_dialog import EndpointsDialog
from app.embedding.changer import ModelChanger
from app.embedding.dialog import EmbeddingDialog
from app.event_bridge import EventBridge
from app.local_models.dialog import LocalModelsDialog
from app.window.main_window import MainWindow
from core.endpoints import LOCAL_PREFIX

if TYPE_CHECKING:
    from app.composition import Postil


class DialogVerbs(QObject):
    """Connects the actions that open a dialog.

    Signals:
        localModelChosen: name of the endpoint that stands for a model on this computer.
    """

    localModelChosen = Signal(str)

    def __init__(
        self,
        postil: Postil,
        background: Background,
        bridge: EventBridge,
        models: ModelChanger,
        window: MainWindow,
    ) -> None:
        super().__init__(window)
        self._postil = postil
        self._background = background
        self._bridge = bridge
        self._models = models
        self._window = window
        window.actions_["endpoints"].triggered.connect(self._show_endpoints)
        window.actions_["embedding_model"].triggered.connect(self._show_embedding)
        window.actions_["local_models"].triggered.connect(self._show_local_models)
        window.actions_["about"].triggered.connect(self._show_about)

    def add_endpoint(self) -> None:
        """Let the reader add an endpoint."""
        EndpointDialog(self._postil, self._background, self._window).open()

    def _show_local_models(self) -> None:
        dialog = LocalModelsDialog(self._postil, self._background, self._window)
        dialog.chosen.connect(lambda name: self.localModelChosen.emit(f"{LOCAL_PREFIX}{name}"))
        dialog.open()

    def _show_endpoints(self) -> None:
        EndpointsDialog(self._postil, self._background, self._bridge, self._window).open()

    def _show_embedding(self) -> None:
        EmbeddingDialog(self._postil, self._background, self._models, self._window).open()

    def _show_about(self) -> None:
        box = QMessageBox(self._window)
        box.setWindowTitle("About Postil")
        box.setText(f"Postil {version('postil')}")
        box.setInformativeText(
            "Reads your books with you: ask, and it answers in their own words.\n\n"
            "Free software under the GNU Affero General Public License, version 3 or later. "
            "Set in Inter and Literata, both under the SIL Open Font License."
        )
        box.finished.connect(box.deleteLater)
        box.open()
