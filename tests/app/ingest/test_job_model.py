from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from app.actions import Actions
from app.ingest.job_model import IngestSummary, JobTableModel
from app.ingest.panel import IngestPanel
from app.ingest.strip import IngestStrip
from app.theme import Theme
from app.window.main_window import MainWindow
from app.wording import duration
from core.events import JobProgressed
from core.jobs import IngestJob, JobState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int, state: JobState = JobState.QUEUED, **fields: Any) -> IngestJob:
    usual: dict[str, Any] = {
        "id": number,
        "source_path": f"/books/book {number}.epub",
        "book_id": number,
        "state": state,
        "paused": False,
        "done_characters": 0,
        "total_characters": 0,
        "error": None,
        "error_kind": None,
        "owner": None,
        "heartbeat_at": None,
        "created_at": NOW,
        "started_at": None,
        "finished_at": None,
    }
    return IngestJob(**{**usual, **fields})


@pytest.fixture
def model(application: QApplication) -> Iterator[JobTableModel]:
    model = JobTableModel({1: "One", 2: "Two"}.get, application)
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield model
    model.deleteLater()


def rows(model: JobTableModel) -> list[tuple[str, str, str]]:
    return [
        tuple(model.index(row, column).data() for column in range(3))  # type: ignore[misc]
        for row in range(model.rowCount())
    ]


def test_what_was_over_before_this_run_is_left_out(model: JobTableModel) -> None:
    model.set_jobs([job(1, JobState.DONE), job(2, JobState.FAILED)])
    assert rows(model) == []
    model.set_jobs([job(1, JobState.DONE), job(2, JobState.FAILED), job(3)])
    assert rows(model) == [("book 3.epub", "Waiting", "")]


def test_all_jobs_together(model: JobTableModel) -> None:
    model.set_jobs([])
    model.set_jobs(
        [job(1, JobState.DONE), job(2, JobState.EMBEDDING), job(3), job(4, JobState.FAILED)]
    )
    model.set_progress(JobProgressed(2, 2, 50, 100, 900.0, 7.0))
    summary = model.summary
    assert (summary.current, summary.position, summary.total) == ("Two", 3, 4)
    assert (summary.active, summary.failed, summary.paused) == (2, 1, False)
    assert summary.fraction == pytest.approx((1 + 0.525 + 0 + 1) / 4)
    assert summary.characters_per_s == 900.0
    assert rows(model)[1] == ("Two", "Reading for meaning", "52%")


def test_the_last_job_s_own_estimate_holds(model: JobTableModel) -> None:
    model.set_jobs([])
    model.set_jobs([job(1, JobState.EMBEDDING)])
    assert model.summary.eta_s is None
    model.set_progress(JobProgressed(1, 1, 10, 100, 900.0, 42.0))
    assert model.summary.eta_s == 42.0


def test_a_new_batch_begins_with_a_clean_table(model: JobTableModel) -> None:
    model.set_jobs([])
    model.set_jobs([job(1, JobState.PARSING)])
    model.set_jobs([job(1, JobState.DONE)])
    assert model.summary.active == 0
    model.set_jobs([job(1, JobState.DONE), job(2)])
    assert [title for title, _, _ in rows(model)] == ["Two"]


def test_a_failed_job_stays_until_it_is_dismissed(model: JobTableModel) -> None:
    model.set_jobs([])
    model.set_jobs([job(1)])
    model.set_jobs([job(1, JobState.FAILED, error="No text in it.")])
    assert rows(model) == [("One", "No text in it.", "")]
    model.clear_over()
    assert rows(model) == []
    model.set_jobs([job(1, JobState.FAILED, error="No text in it.")])
    assert rows(model) == []


def test_paused_is_said_only_where_all_are(model: JobTableModel) -> None:
    model.set_jobs([])
    model.set_jobs([job(1, JobState.EMBEDDING, paused=True), job(2)])
    assert not model.summary.paused
    model.set_jobs([job(1, JobState.EMBEDDING, paused=True), job(2, paused=True)])
    assert model.summary.paused
    assert rows(model)[0][1] == "Paused"


def test_the_strip_tells_and_then_hides(model: JobTableModel, theme: Theme, qtbot: QtBot) -> None:
    window = MainWindow(theme)
    actions = window.findChild(Actions)
    assert isinstance(actions, Actions)
    strip = IngestStrip(model, actions, window)

    def words() -> str:
        return " | ".join(label.text() for label in strip.findChildren(QLabel) if label.text())

    assert strip.isHidden()
    model.set_jobs([])
    model.set_jobs([job(1, JobState.EMBEDDING), job(2)])
    model.set_progress(JobProgressed(1, 1, 10, 100, 98_765.4, 42.0))
    assert not strip.isHidden()
    assert "Reading in “One” · 1 of 2" in words()
    assert "98,800 characters/s" in words()
    assert actions["pause_ingest"].isEnabled()
    model.set_jobs([job(1, JobState.DONE), job(2, JobState.FAILED, error="Torn.")])
    assert "One book could not be read in." in words()
    assert not actions["pause_ingest"].isEnabled()
    model.clear_over()
    assert strip.isHidden()
    window.deleteLater()


def test_the_panel_acts_on_what_is_selected_else_on_all(model: JobTableModel, qtbot: QtBot) -> None:
    panel = IngestPanel(model)
    asked: list[tuple[str, list[int]]] = []
    panel.cancelWanted.connect(lambda jobs: asked.append(("cancel", [one.id for one in jobs])))
    panel.retryWanted.connect(lambda jobs: asked.append(("retry", [one.id for one in jobs])))
    model.set_jobs([])
    model.set_jobs([job(1, JobState.EMBEDDING), job(2), job(3, JobState.FAILED)])
    buttons = {button.text(): button for button in panel.findChildren(QPushButton)}
    buttons["Cancel"].click()
    buttons["Try again"].click()
    model.set_jobs([replace(one, paused=True) if one.id < 3 else one for one in model.jobs()])
    assert buttons["Pause"].text() == "Go on"
    assert asked == [("cancel", [1, 2]), ("retry", [3])]
    panel.deleteLater()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "5 s"), (12, "10 s"), (58, "60 s"), (61, "1 min"), (600, "10 min"), (9_000, "2.5 h")],
)
def test_times_are_told_roughly(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_summary_is_a_value(model: JobTableModel) -> None:
    assert model.summary == IngestSummary("", 0, 0, 0, 0.0, 0.0, None, False, 0)
