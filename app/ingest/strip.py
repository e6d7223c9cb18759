"""The slim strip at the foot of the window: what is being read in, and how long it will take."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QWidget

from app.actions import Actions
from app.ingest.job_model import IngestSummary, JobTableModel
from app.widgets import ElidedLabel, quiet_button, tool_button
from app.wording import count, duration

_STEPS = 1000


class IngestStrip(QFrame):
    """Overall progress with pause and cancel; hidden while all is quiet.

    Signals:
        dismissed: the reader has seen how it ended.
    """

    dismissed = Signal()

    def __init__(
        self, model: JobTableModel, actions: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("ingestStrip")
        self._actions = actions
        self._words = ElidedLabel()
        self._speed = ElidedLabel(tone="muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("How far the books are read in")
        self._bar.setMinimumWidth(80)
        self._pause = tool_button(actions["pause_ingest"], size_px=16)
        self._cancel = tool_button(actions["cancel_ingest"], size_px=16)
        jobs = actions["show_jobs"]
        self._jobs = quiet_button("Show", jobs.trigger, tip=jobs.toolTip())
        jobs.toggled.connect(lambda shown: self._jobs.setText("Hide" if shown else "Show"))
        self._dismiss = quiet_button("Dismiss", self.dismissed.emit, tip="Hide this strip")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 8, 4)
        row.setSpacing(12)
        row.addWidget(self._words, 3)
        row.addWidget(self._bar, 2)
        row.addWidget(self._speed, 2)
        for widget in (self._pause, self._cancel, self._jobs, self._dismiss):
            row.addWidget(widget)
        model.summaryChanged.connect(self.show_summary)
        self.show_summary(model.summary)

    def show_summary(self, summary: IngestSummary) -> None:
        """Say how things stand."""
        self.setVisible(summary.active > 0 or summary.failed > 0)
        busy = summary.active > 0
        for widget in (self._bar, self._speed, self._pause, self._cancel):
            widget.setVisible(busy)
        self._dismiss.setVisible(not busy)
        self._bar.setValue(round(summary.fraction * _STEPS))
        if summary.paused:
            self._actions.show_as("pause_ingest", "&Go on reading in", "play")
        else:
            self._actions.show_as("pause_ingest", "&Pause reading in", "pause")
        self._actions["pause_ingest"].setEnabled(busy)
        self._actions["cancel_ingest"].setEnabled(busy)
        self._words.setText(_words(summary))
        self._speed.setText(_speed_words(summary))


def _words(summary: IngestSummary) -> str:
    if summary.active == 0:
        return f"{count(summary.failed, 'book', 'books').capitalize()} could not be read in."
    verb = "Paused at" if summary.paused else "Reading in"
    words = f"{verb} “{summary.current}”"
    if summary.total > 1:
        words += f" · {summary.position} of {summary.total}"
    if summary.failed:
        words += f" · {summary.failed} failed"
    return words


def _speed_words(summary: IngestSummary) -> str:
    if summary.paused:
        return ""
    parts = []
    if summary.characters_per_s:
        parts.append(f"{round(summary.characters_per_s, -2):,.0f} characters/s")
    if summary.eta_s is not None:
        parts.append(f"about {duration(summary.eta_s)} left")
    return " · ".join(parts)
