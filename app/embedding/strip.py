"""The strip that offers a missing model, and tells how one comes into use."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QWidget

from app.embedding.work import ModelWork, Stage, short_name
from app.widgets import label, quiet_button
from app.wording import duration, percentage

_STEPS = 1000


class ModelStrip(QFrame):
    """Says what is missing, what it costs to fetch, and how far that is; else hidden.

    Signals:
        wanted: name of a model to bring into use.
        cancelled: the reader ends what is under way.
        putAside: the reader does not want to hear of it now.
    """

    wanted = Signal(str)
    cancelled = Signal()
    putAside = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelStrip")
        self._work: ModelWork | None = None
        self._words = label(wrap=True)
        self._words.setAccessibleName("The model for search by meaning")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("How far the model is")
        self._bar.setFixedWidth(180)
        self._left = label(tone="muted")
        self._fetch = quiet_button("Fetch it", self._want, tip="Fetch the model over the network")
        self._cancel = quiet_button("Cancel", self.cancelled.emit, tip="Keep the model in use")
        self._aside = quiet_button("Not now", self.putAside.emit, tip="Hide this strip")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 8, 4)
        row.setSpacing(12)
        row.addWidget(self._words, 1)
        for widget in (self._bar, self._left, self._fetch, self._cancel, self._aside):
            row.addWidget(widget)
        self.show_work(None)

    def show_work(self, work: ModelWork | None) -> None:
        """Say how things stand."""
        self._work = work
        self.setVisible(work is not None)
        if work is None:
            return
        for widget in (self._bar, self._left, self._cancel):
            widget.setVisible(work.busy)
        for widget in (self._fetch, self._aside):
            widget.setVisible(not work.busy)
        self._words.setText(strip_words(work))
        self._bar.setValue(round(work.fraction * _STEPS))
        self._left.setText(_progress_words(work))
        failed = work.stage is Stage.FAILED
        self._fetch.setText("Try again" if failed else f"Fetch it ({work.download_mb} MB)")
        self._aside.setText("Dismiss" if failed else "Not now")

    def _want(self) -> None:
        if self._work is not None:
            self.wanted.emit(self._work.model)


def strip_words(work: ModelWork) -> str:
    """Say what is going on, in a sentence."""
    name = short_name(work.model)
    match work.stage:
        case Stage.OFFERED:
            return (
                f"Search goes by words only: {name}, the small model that finds passages by "
                "their meaning, is not on this computer yet."
            )
        case Stage.FETCHING:
            return f"Fetching {name}, the model for search by meaning."
        case Stage.EMBEDDING:
            return f"Reading your books with {name}. Until that is done, search goes on as before."
        case Stage.FAILED:
            return work.problem


def _progress_words(work: ModelWork) -> str:
    if work.stage is Stage.FETCHING:
        return f"{round(work.fraction * work.download_mb)} of {work.download_mb} MB"
    words = percentage(work.fraction)
    return words if work.eta_s is None else f"{words} · about {duration(work.eta_s)} left"
