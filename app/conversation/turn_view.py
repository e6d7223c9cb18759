"""One turn of a conversation: a question, its answer, and the passages behind it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.conversation.answer_text import AnswerText
from app.conversation.passage_card import PassageCard, Place
from app.conversation.places import Places
from app.theme import Theme
from app.widgets import label, quiet_button

_REPAINT_MS = 30
# The nearest passages, where no answer cites any.
_SHOWN_UNCITED = 4


class TurnView(QWidget):
    """A question and what came of it.

    Signals:
        placeChosen: a `Place` to show on the page.
        retryWanted: the reader wants to ask again.
        copyWanted: the reader wants the answer's words.
    """

    placeChosen = Signal(object)
    retryWanted = Signal()
    copyWanted = Signal()

    def __init__(self, question: str, theme: Theme) -> None:
        super().__init__()
        self.question = question
        self._theme = theme
        self._text = ""
        self._pending: list[str] = []
        self._cited: dict[int, PassageCard] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(_question_frame(question))
        self._status = label("Searching your books…", tone="muted")
        self._column.addWidget(self._status)
        self._answer = AnswerText(theme)
        self._answer.hide()
        self._answer.citationChosen.connect(self.choose_citation)
        self._column.addWidget(self._answer)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(8)
        self._column.addLayout(self._cards)
        self._others = QVBoxLayout()
        self._others.setSpacing(8)
        self._column.addLayout(self._others)
        self._repaint = QTimer(self)
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(_REPAINT_MS)
        self._repaint.timeout.connect(self._show_pending)

    @property
    def text(self) -> str:
        """The answer's words, once it is finished."""
        return self._text

    @property
    def cards(self) -> list[PassageCard]:
        """The passages cited, by number."""
        return [self._cited[number] for number in sorted(self._cited)]

    def say(self, words: str) -> None:
        """Say what is going on; "" for nothing."""
        self._status.setText(words)
        self._status.setVisible(bool(words))

    def add_text(self, text: str) -> None:
        """Append to the answer, painting at most every 30 ms."""
        self._pending.append(text)
        if not self._repaint.isActive():
            self._repaint.start()

    def add_citation(self, place: Place) -> None:
        """Show a passage that the answer cites."""
        assert place.number is not None
        if place.number in self._cited:
            return
        card = self._card(place)
        self._cited[place.number] = card
        self._cards.addWidget(card)

    def finish(self, text: str, places: Places, *, by_model: bool) -> None:
        """Show the answer as it stands at its end, and behind a button what else was found.

        Without a model the passages are the answer: their cards say all that its text does.
        """
        self._repaint.stop()
        self._pending.clear()
        self._text = text
        cited = places.cited
        numbers = {place.number for place in cited if place.number is not None}
        self._answer.set_text(text, numbers, [_marked_part(place) for place in cited])
        self._answer.setVisible(bool(text) and (by_model or not cited))
        for place in cited:
            self.add_citation(place)
        if places.others:
            shown = 0 if cited else _SHOWN_UNCITED
            for place in places.others[:shown]:
                self._others.addWidget(self._card(place))
            self._offer_others(places.others[shown:])

    def show_foot(self, words: str, *, copyable: bool) -> None:
        """Say who answered, and offer to copy."""
        self.say("")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label(words, tone="muted"))
        row.addStretch(1)
        if copyable:
            row.addWidget(quiet_button("Copy", self.copyWanted.emit, tip="Copy the answer"))
        self._column.addLayout(row)

    def show_error(self, message: str, *, retry: bool) -> None:
        """Say why there is no answer, or no more of it."""
        self._show_pending()
        self.say("")
        frame = QFrame()
        frame.setProperty("kind", "error")
        column = QVBoxLayout(frame)
        column.setContentsMargins(12, 10, 12, 10)
        column.addWidget(label(message, wrap=True))
        if retry:
            row = QHBoxLayout()
            row.addWidget(quiet_button("Ask again", self.retryWanted.emit))
            row.addStretch(1)
            column.addLayout(row)
        self._column.addWidget(frame)

    def choose_citation(self, number: int) -> None:
        """Show a citation's passage, as a click on its card does."""
        card = self._cited.get(number)
        if card is not None:
            self.placeChosen.emit(card.place)

    def mark_current(self, place: Place | None) -> None:
        """Show which card is the passage on the page."""
        for card in self.findChildren(PassageCard):
            card.set_current(card.place is place)

    def _show_pending(self) -> None:
        if self._pending:
            self.say("")
            self._answer.show()
            self._answer.add_text("".join(self._pending))
            self._pending.clear()

    def _card(self, place: Place) -> PassageCard:
        card = PassageCard(place, self._theme)
        card.chosen.connect(self.placeChosen)
        return card

    def _offer_others(self, others: Sequence[Place]) -> None:
        if not others:
            return
        count = "one more passage" if len(others) == 1 else f"{len(others)} more passages"
        button = quiet_button(f"Show {count}", lambda: None)
        row = QHBoxLayout()
        row.addWidget(button)
        row.addStretch(1)
        self._others.addLayout(row)

        def unfold() -> None:
            button.hide()
            for place in others:
                self._others.addWidget(self._card(place))

        button.clicked.connect(unfold)


def _question_frame(question: str) -> QFrame:
    frame = QFrame()
    frame.setProperty("kind", "question")
    column = QVBoxLayout(frame)
    column.setContentsMargins(12, 8, 12, 8)
    words: QLabel = label(question, wrap=True)
    words.setAccessibleName(f"Question: {question}")
    column.addWidget(words)
    return frame


def _marked_part(place: Place) -> str:
    if place.marked is None:
        return ""
    return place.text[place.marked[0] : place.marked[1]]
