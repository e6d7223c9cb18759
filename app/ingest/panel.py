"""The list of jobs, opened from the strip."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.ingest.job_model import JobTableModel, is_paused
from app.widgets import label, quiet_button
from core.jobs import IngestJob, JobState

_HEIGHT_PX = 200


class IngestPanel(QFrame):
    """Each job with its state or its error; those selected can be held, ended or tried again.

    Signals:
        pauseWanted: jobs to hold, or to let go on where all are held.
        cancelWanted: jobs to end.
        retryWanted: jobs to try again.
        closed: the panel is to go.
    """

    pauseWanted = Signal(list)
    cancelWanted = Signal(list)
    retryWanted = Signal(list)
    closed = Signal()

    def __init__(self, model: JobTableModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ingestPanel")
        self.setFixedHeight(_HEIGHT_PX)
        self._model = model
        self._table = QTableView()
        self._table.setAccessibleName("Books on their way into the library")
        self._table.setModel(model)
        self._table.setShowGrid(False)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setTabKeyNavigation(False)
        header = self._table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.hide()
        title = label("Coming in", tone="heading")
        self._pause = quiet_button(
            "Pause",
            lambda: self.pauseWanted.emit(self._open()),
            tip="Hold the books that are selected, or all of them, or let them go on",
        )
        self._cancel = quiet_button(
            "Cancel",
            lambda: self.cancelWanted.emit(self._open()),
            tip="Read no more of the books that are selected, or of any of them",
        )
        self._retry = quiet_button(
            "Try again",
            lambda: self.retryWanted.emit(self._failed()),
            tip="Read those in again that could not be read or were cancelled",
        )
        bar = QHBoxLayout()
        bar.setContentsMargins(16, 4, 8, 0)
        bar.addWidget(title)
        bar.addStretch(1)
        for button in (self._pause, self._cancel, self._retry):
            bar.addWidget(button)
        bar.addWidget(quiet_button("Close", self.closed.emit, tip="Hide this list (Ctrl+J)"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(self._enable)
        model.summaryChanged.connect(self._enable)
        self._enable()
        self.hide()

    def _selected(self) -> list[IngestJob]:
        rows = self._table.selectionModel().selectedRows()
        if rows:
            return [self._model.job(index.row()) for index in rows]
        return self._model.jobs()

    def _open(self) -> list[IngestJob]:
        return [job for job in self._selected() if not job.state.is_final]

    def _failed(self) -> list[IngestJob]:
        over = (JobState.FAILED, JobState.CANCELLED)
        return [job for job in self._selected() if job.state in over]

    def _enable(self) -> None:
        open_jobs = self._open()
        self._pause.setEnabled(bool(open_jobs))
        held = bool(open_jobs) and all(is_paused(job) for job in open_jobs)
        self._pause.setText("Go on" if held else "Pause")
        self._cancel.setEnabled(bool(open_jobs))
        self._retry.setEnabled(bool(self._failed()))
