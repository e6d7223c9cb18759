"""Chooses the embedding model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.background import Background
from app.embedding.changer import ModelChanger
from app.embedding.strip import strip_words
from app.embedding.work import ModelWork, Stage, short_name
from app.widgets import label
from core.home import model_cache_dir

if TYPE_CHECKING:
    from app.composition import Postil
    from rag.embedding import EmbeddingModel

_STEPS = 1000


class EmbeddingDialog(QDialog):
    """The models there are, each with what it is for and what it costs."""

    def __init__(
        self, postil: Postil, background: Background, changer: ModelChanger, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._postil = postil
        self._background = background
        self._changer = changer
        self._in_use = ""
        self._choices: dict[str, QRadioButton] = {}
        self._facts: dict[str, QLabel] = {}
        self._group = QButtonGroup(self)
        self.setWindowTitle("Search by meaning")
        self.setMinimumSize(560, 480)
        self.resize(600, 620)
        self._build()
        changer.changed.connect(self._show_work)
        changer.inUse.connect(self._refresh)
        self.finished.connect(lambda: background.cancel("embedding models"))
        self._group.buttonToggled.connect(lambda *_: self._enable())
        self._show_work(changer.work)
        self._refresh()

    @property
    def chosen(self) -> str:
        """The model that is marked, "" before they are known."""
        return next((name for name, one in self._choices.items() if one.isChecked()), "")

    def choose(self, model: str) -> None:
        """Mark a model."""
        self._choices[model].setChecked(True)

    def _build(self) -> None:
        words = label(
            "A small model on this computer turns passages and questions into numbers, so that "
            "what means the same is found though no word is. Changing it embeds your books anew; "
            "until that is done, search goes on with the model in use.",
            tone="muted",
            wrap=True,
        )
        self._rows = QVBoxLayout()
        self._rows.setContentsMargins(4, 4, 12, 4)
        self._rows.setSpacing(12)
        holder = QWidget()
        holder.setObjectName("transcript")
        holder.setLayout(self._rows)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(holder)
        self._state = label(wrap=True)
        self._state.setAccessibleName("How far the model is")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 20)
        column.setSpacing(16)
        column.addWidget(words)
        column.addWidget(scroll, 1)
        column.addWidget(self._state)
        column.addWidget(self._bar)
        column.addLayout(self._button_row())

    def _button_row(self) -> QHBoxLayout:
        self._use = _button("&Use this model", self._use_chosen)
        self._use.setProperty("kind", "primary")
        self._cancel = _button("&Cancel", self._changer.cancel)
        self._cancel.setToolTip("Keep the model in use")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._use)
        row.addWidget(self._cancel)
        row.addStretch(1)
        row.addWidget(_button("C&lose", self.reject))
        return row

    def _refresh(self) -> None:
        self._background.spawn(self._read_models(), replacing="embedding models")

    async def _read_models(self) -> None:
        models, ready, in_use = await self._background.read(self._look)
        self._in_use = in_use
        if not self._choices:
            for model in models:
                self._add_row(model)
            self._rows.addStretch(1)
            self._choices.get(in_use, next(iter(self._choices.values()))).setChecked(True)
            self._choices.get(in_use, self._use).setFocus()
        for model in models:
            self._facts[model.name].setText(
                _facts_of(model, there=model.name in ready, in_use=model.name == in_use)
            )
        self._enable()

    def _look(self) -> tuple[tuple[EmbeddingModel, ...], set[str], str]:
        from rag.embedding import catalogue, is_ready

        models = catalogue()
        ready = {model.name for model in models if is_ready(model.name, model_cache_dir())}
        return models, ready, self._postil.settings.embedding_model

    def _add_row(self, model: EmbeddingModel) -> None:
        choice = QRadioButton(short_name(model.name))
        choice.setToolTip(model.name)
        facts = label(tone="muted", wrap=True)
        facts.setContentsMargins(24, 0, 0, 0)
        row = QVBoxLayout()
        row.setSpacing(2)
        row.addWidget(choice)
        row.addWidget(facts)
        self._rows.addLayout(row)
        self._group.addButton(choice)
        self._choices[model.name], self._facts[model.name] = choice, facts

    def _use_chosen(self) -> None:
        if self.chosen:
            self._changer.use(self.chosen)

    def _show_work(self, work: ModelWork | None) -> None:
        busy = work is not None and work.busy
        self._cancel.setVisible(busy)
        self._bar.setVisible(busy)
        told = work is not None and (busy or work.stage is Stage.FAILED)
        self._state.setVisible(told)
        if work is not None:
            self._state.setText(strip_words(work))
            self._bar.setValue(round(work.fraction * _STEPS))
        if not busy:
            self._refresh()
        self._enable()

    def _enable(self) -> None:
        work = self._changer.work
        busy = work is not None and work.busy
        new = bool(self.chosen) and self.chosen != self._in_use
        # The model of the settings can be wanted too, as long as it is not there.
        missing = work is not None and not busy and work.model == self.chosen
        self._use.setEnabled(not busy and (new or missing))


def _facts_of(model: EmbeddingModel, *, there: bool, in_use: bool) -> str:
    from rag.embedding.fetch import download_mb

    size = f"{model.size_mb:,} MB"
    if in_use:
        place = "in use" if there else f"chosen, but to be fetched ({download_mb(model):,} MB)"
    elif there:
        place = "comes with Postil" if model.bundled else "on this computer"
    else:
        place = f"{download_mb(model):,} MB to download"
    languages = model.languages[:1].upper() + model.languages[1:]
    return f"{languages} · {size} · licence {model.licence} · {place}"


def _button(text: str, pressed: object) -> QPushButton:
    made = QPushButton(text)
    made.setAutoDefault(False)
    made.clicked.connect(pressed)
    return made
