"""The window: three panes side by side, menus, and books dropped anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QMainWindow, QSplitter, QVBoxLayout, QWidget

from app.actions import GROUPS, Actions
from app.dialogs.shortcuts_dialog import ShortcutsDialog
from app.icons import application_icon
from app.theme import Theme
from app.window.memory import WindowMemory
from app.window.toast import Toast, UndoToast

_USUAL_SIZE = (1360, 860)
_USUAL_PANES = (288, 660, 412)
_NARROW_PX = 960
_MENU_SEPARATORS_BEFORE = {
    "read_book",
    "remove_books",
    "show_jobs",
    "quit",
    "find",
    "larger_text",
    "new_conversation",
    "scope_book",
    "pick_endpoint",
    "theme_system",
    "about",
}


class MainWindow(QMainWindow):
    """The frame of the window. It is shown at once; the panes come when the library is open.

    Signals:
        closed: the reader closed the window or quits.
        filesDropped: paths of files and folders, as a list of `Path`.
        activated: the window came to the front.
    """

    closed = Signal()
    filesDropped = Signal(list)
    activated = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setWindowTitle("Postil")
        self.setWindowIcon(application_icon())
        self.setAcceptDrops(True)
        self.resize(*_USUAL_SIZE)
        self.setMinimumSize(640, 440)
        self.actions_ = Actions(self, theme)
        self._panes: Sequence[QWidget] = ()
        self.undo_toast = UndoToast(
            self, self.room_for_notes, self.actions_["undo_removal"].toolTip()
        )
        self.toast = Toast(self, self.room_for_notes, above=self.undo_toast)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.hide()
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(1)
        self._narrowed = False
        self._veil = _DropVeil(self)
        opening = QLabel("Opening your library…")
        opening.setAlignment(Qt.AlignmentFlag.AlignCenter)
        opening.setProperty("tone", "muted")
        self.setCentralWidget(opening)
        self._build_menus()
        self.actions_["quit"].triggered.connect(self.close)
        self.actions_["shortcuts"].triggered.connect(lambda: ShortcutsDialog(self).open())
        self.actions_["full_screen"].toggled.connect(self._set_full_screen)

    def set_panes(
        self, library: QWidget, reading: QWidget, conversation: QWidget, foot: Sequence[QWidget]
    ) -> None:
        """Put the panes in their places, and under them what tells of the ingest."""
        self._panes = (library, reading, conversation)
        for pane in self._panes:
            self._splitter.addWidget(pane)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes(list(_USUAL_PANES))
        central = QWidget()
        column = QVBoxLayout(central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._splitter, 1)
        self._splitter.show()
        for widget in foot:
            column.addWidget(widget)
        self.setCentralWidget(central)
        self._splitter.splitterMoved.connect(self._place_notes)
        for name, pane in (("show_library", library), ("show_conversation", conversation)):
            self.actions_[name].setChecked(True)
            self.actions_[name].toggled.connect(pane.setVisible)
        self.undo_toast.raise_()
        self.toast.raise_()
        self._fit_panes()

    def room_for_notes(self) -> QRect:
        """Return where notes may lie: at the foot of the page, not over a question being typed."""
        reading = self._panes[1] if self._panes else self.centralWidget()
        return QRect(reading.mapTo(self, QPoint(0, 0)), reading.size())

    def restore(self, memory: WindowMemory) -> None:
        """Take up size and panes as they were."""
        geometry = memory.geometry_bytes()
        if geometry:
            self.restoreGeometry(QByteArray(geometry))
        if len(memory.panes) == len(self._panes) and all(memory.panes):
            self._splitter.setSizes(list(memory.panes))
        self.actions_["show_library"].setChecked(memory.library_shown)
        self.actions_["show_conversation"].setChecked(memory.conversation_shown)

    def remember(self, memory: WindowMemory) -> None:
        """Note size and panes as they are."""
        memory.geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        memory.library_shown = self.actions_["show_library"].isChecked() or self._narrowed
        memory.conversation_shown = self.actions_["show_conversation"].isChecked()
        if memory.library_shown and memory.conversation_shown and not self._narrowed:
            memory.panes = tuple(self._splitter.sizes())

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let whoever runs the window close everything in order."""
        event.ignore()
        self.closed.emit()

    def changeEvent(self, event: object) -> None:
        """Tell when the window comes to the front: books may have come from elsewhere."""
        super().changeEvent(event)  # type: ignore[arg-type]
        if self.isActiveWindow():
            self.activated.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what floats over the window in place, and make room where it is narrow."""
        super().resizeEvent(event)
        self._veil.setGeometry(self.rect().adjusted(12, 12, -12, -12))
        self._place_notes()
        self._fit_panes()

    def show_drop_veil(self, shown: bool) -> None:
        """Lay a veil over the window that says where books go, or take it away."""
        self._veil.setVisible(shown)
        self._veil.raise_()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self.show_drop_veil(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """The reader thought better of it."""
        super().dragLeaveEvent(event)
        self.show_drop_veil(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Add what was dropped."""
        self.show_drop_veil(False)
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        if urls:
            event.acceptProposedAction()
            self.filesDropped.emit([Path(url.toLocalFile()) for url in urls])

    def _place_notes(self) -> None:
        self.undo_toast.place()
        self.toast.place()

    def _build_menus(self) -> None:
        for title, specs in GROUPS.items():
            menu = self.menuBar().addMenu(f"&{title}")
            for spec in specs:
                if spec.name in _MENU_SEPARATORS_BEFORE:
                    menu.addSeparator()
                menu.addAction(self.actions_[spec.name])

    def _set_full_screen(self, full: bool) -> None:
        if full:
            self.showFullScreen()
        else:
            self.showNormal()

    def _fit_panes(self) -> None:
        """Fold the library away while the window is too narrow for three panes."""
        if not self._panes:
            return
        narrow = self.width() < _NARROW_PX
        action = self.actions_["show_library"]
        if narrow and not self._narrowed and action.isChecked():
            self._narrowed = True
            QTimer.singleShot(0, self, lambda: action.setChecked(False))
        elif not narrow and self._narrowed:
            self._narrowed = False
            QTimer.singleShot(0, self, lambda: action.setChecked(True))


class _DropVeil(QWidget):
    """Lies over the window while books hover over it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropVeil")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        words = QLabel("Drop to add to your library", self)
        words.setObjectName("dropWords")
        column = QVBoxLayout(self)
        column.addWidget(words, 0, Qt.AlignmentFlag.AlignCenter)
        self.hide()
