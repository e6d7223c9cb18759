"""The models on this computer, to fetch, import, choose and remove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.background import Background
from app.local_models.download_process import DownloadProcess
from app.local_models.rows import ModelRow, read_rows
from app.widgets import label
from core.errors import PostilError
from core.events import LocalModelsChanged

if TYPE_CHECKING:
    from app.composition import Postil

_STEPS = 1000
_INTRODUCTION = (
    "A model on this computer writes answers from your passages, and nothing leaves the machine. "
    "Small ones answer soon and plainly; larger ones read better and need more memory and time."
)


class LocalModelsDialog(QDialog):
    """A list of models: those that are here first, then those on offer.

    Signals:
        chosen: name of the model that is to answer from now on.
    """

    chosen = Signal(str)

    def __init__(self, postil: Postil, background: Background, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._postil = postil
        self._background = background
        self._rows: Sequence[ModelRow] = ()
        self._download: DownloadProcess | None = None
        self.setWindowTitle("Models on this computer")
        self.setMinimumSize(560, 480)
        self._list = QListWidget()
        self._list.setObjectName("contentsList")
        self._list.setAccessibleName("Models")
        self._list.itemSelectionChanged.connect(self._enable)
        self._list.itemDoubleClicked.connect(lambda _: self._act())
        self._state = label(wrap=True)
        self._state.setAccessibleName("How far the download is")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._build()
        self._show_download(None)
        self.finished.connect(lambda: background.cancel("local models"))
        self._refresh()

    def names(self) -> list[str]:
        """Return the models shown."""
        return [row.name for row in self._rows]

    def select(self, name: str) -> None:
        """Mark a model."""
        self._list.setCurrentRow(self.names().index(name))

    def closeEvent(self, event: QCloseEvent) -> None:
        """End a download; what has come is kept."""
        self._end_download()
        super().closeEvent(event)

    def reject(self) -> None:
        """Close, also by Escape."""
        self._end_download()
        super().reject()

    def _build(self) -> None:
        self._use = _button("&Ask this model", self._act)
        self._use.setProperty("kind", "primary")
        self._stop = _button("&Stop", self._stop_download)
        self._stop.setToolTip("Stop the download; it goes on from there next time")
        self._import = _button("&Import a folder…", self._choose_folder)
        self._import.setToolTip("A folder of safetensors files; it stays where it is")
        self._remove_button = _button("&Remove", self._ask_to_remove)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self._use, self._stop, self._import, self._remove_button):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(_button("C&lose", self.reject))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 20)
        column.setSpacing(16)
        column.addWidget(label(_INTRODUCTION, tone="muted", wrap=True))
        column.addWidget(self._list, 1)
        column.addWidget(self._state)
        column.addWidget(self._bar)
        column.addLayout(row)

    def _refresh(self) -> None:
        self._background.spawn(self._load(), replacing="local models")

    async def _load(self) -> None:
        rows = await self._background.read(lambda: read_rows(self._postil.local_models))
        marked = self._current()
        self._rows = rows
        self._list.clear()
        for row in rows:
            item = QListWidgetItem(f"{row.name}\n{row.facts}")
            item.setToolTip(row.facts)
            self._list.addItem(item)
        if rows:
            names = self.names()
            self._list.setCurrentRow(
                names.index(marked.name) if marked and marked.name in names else 0
            )
        self._enable()

    def _current(self) -> ModelRow | None:
        row = self._list.currentRow()
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def _act(self) -> None:
        """Ask the marked model, or fetch it first."""
        row = self._current()
        if row is None:
            return
        if row.here:
            self.chosen.emit(row.name)
            self.accept()
        elif self._download is None:
            self._start_download(row.name)

    def _start_download(self, name: str) -> None:
        download = DownloadProcess(name, self)
        download.progressed.connect(self._show_progress)
        download.ended.connect(self._download_ended)
        download.stopped.connect(
            lambda: self._show_download(None, "Stopped. It goes on from there next time.")
        )
        self._show_download(download, f"Looking for {name} on the hub…")
        download.start()

    def _show_progress(self, done: int, total: int) -> None:
        assert self._download is not None
        self._bar.setValue(round(_STEPS * done / max(total, 1)))
        self._state.setText(
            f"Fetching {self._download.name}: {done / 1e9:.2f} of {total / 1e9:.2f} GB"
        )

    def _download_ended(self, problem: str) -> None:
        assert self._download is not None
        name = self._download.name
        self._show_download(None, problem or f"{name} is here.")
        if not problem:
            self._changed()

    def _show_download(self, download: DownloadProcess | None, words: str = "") -> None:
        if self._download is not None and download is None:
            self._download.deleteLater()
        self._download = download
        self._bar.setValue(0)
        self._bar.setVisible(download is not None)
        self._stop.setVisible(download is not None)
        self._state.setText(words)
        self._state.setVisible(bool(words))
        self._enable()

    def _stop_download(self) -> None:
        if self._download is not None:
            self._download.stop()

    def _end_download(self) -> None:
        if self._download is not None:
            download, self._download = self._download, None
            download.blockSignals(True)
            download.wait_until_gone()

    def _choose_folder(self) -> None:
        chooser = QFileDialog(self, "Import a model's folder")
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.setFileMode(QFileDialog.FileMode.Directory)
        chooser.fileSelected.connect(lambda path: self.import_folder(Path(path)))
        chooser.open()

    def import_folder(self, folder: Path) -> None:
        """Make a folder known, and say what is wrong with it where that fails."""
        self._background.spawn(self._import_folder(folder))

    async def _import_folder(self, folder: Path) -> None:
        models = self._postil.local_models
        try:
            model = await self._background.write(models.import_folder, folder)
        except PostilError as error:
            self._show_download(self._download, str(error))
            return
        self._show_download(self._download, f"{model.name} is here.")
        self._changed()

    def _ask_to_remove(self) -> None:
        row = self._current()
        if row is None or not row.here:
            return
        what = (
            "Its files are deleted; it can be fetched again."
            if row.is_download
            else "Its folder stays where it is."
        )
        question = QMessageBox(
            QMessageBox.Icon.Question,
            "Remove a model",
            f"Remove {row.name}? {what}",
            QMessageBox.StandardButton.Cancel,
            self,
        )
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        remove = question.addButton("Remove", QMessageBox.ButtonRole.AcceptRole)
        remove.clicked.connect(lambda: self._background.spawn(self._remove(row.name)))
        question.open()

    async def _remove(self, name: str) -> None:
        await self._background.write(self._postil.remove_local_model, name)
        self._refresh()

    def _changed(self) -> None:
        self._postil.events.publish(LocalModelsChanged())
        self._refresh()

    def _enable(self) -> None:
        row = self._current()
        here = row is not None and row.here
        self._use.setText("&Ask this model" if here or row is None else "&Download")
        self._use.setEnabled(row is not None and (here or self._download is None))
        self._remove_button.setEnabled(here)


def _button(text: str, pressed: object) -> QPushButton:
    made = QPushButton(text)
    made.setAutoDefault(False)
    made.clicked.connect(pressed)
    return made
