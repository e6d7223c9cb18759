from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from app.conversation.answer_text import AnswerText
from app.theme import Theme

HOSTILE = (
    "<b>bold</b> <img src='http://example.org/x.png'> [click](http://example.org) "
    "<a href='file:///etc/passwd'>here</a> <script>alert(1)</script> https://example.org &amp;"
)


@pytest.fixture
def answer(qtbot: QtBot, theme: Theme) -> Iterator[AnswerText]:
    answer = AnswerText(theme)
    answer.resize(300, 100)
    yield answer
    answer.deleteLater()


def links(document: QTextDocument) -> list[str]:
    found = []
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            form = iterator.fragment().charFormat()
            if form.isAnchor():
                found.append(form.anchorHref())
            iterator += 1
        block = block.next()
    return found


def test_mark_up_from_a_model_is_shown_as_it_is_written(answer: AnswerText) -> None:
    answer.add_text(HOSTILE)
    assert answer.toPlainText() == HOSTILE
    assert links(answer.document()) == []


def test_nothing_is_ever_loaded(answer: AnswerText) -> None:
    for address in ("http://example.org/x.png", "file:///etc/passwd", "data:image/png;base64,AA"):
        assert answer.loadResource(2, QUrl(address)) is None


def test_a_mark_leads_to_its_citation(answer: AnswerText) -> None:
    chosen: list[int] = []
    answer.citationChosen.connect(chosen.append)
    answer.set_text("It was the key. [1] And the wall. [12]", {1, 12}, [])
    assert links(answer.document()) == ["citation:1", "citation:12"]
    answer.anchorClicked.emit(QUrl("citation:12"))
    answer.anchorClicked.emit(QUrl("http://example.org"))
    assert chosen == [12]


def test_a_number_that_is_no_citation_stays_text(answer: AnswerText) -> None:
    answer.set_text("In [1984] and [2] and [3].", {2}, [])
    assert links(answer.document()) == ["citation:2"]
    assert answer.toPlainText() == "In [1984] and 2 and [3]."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_stream_cut_anywhere_reads_the_same(answer: AnswerText, data: st.DataObject) -> None:
    text = "The keeper hid it. [1] “Under the wall” [2], he said [not a mark] and went [30]."
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=12)))
    answer.set_text(text)
    whole = answer.toPlainText()
    answer.set_text("")
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        answer.add_text(text[start:end])
    assert answer.toPlainText() == whole
    assert links(answer.document()) == ["citation:1", "citation:2", "citation:30"]


def test_it_is_as_high_as_its_text(answer: AnswerText) -> None:
    answer.show()
    answer.set_text("One line.")
    low = answer.height()
    answer.set_text("Many words. " * 100)
    high = answer.height()
    assert high > 5 * low
    answer.resize(600, high)
    assert answer.height() < high
    answer.close()
