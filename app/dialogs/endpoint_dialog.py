"""Adds or changes one endpoint."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.background import Background
from app.dialogs.endpoint_store import change_endpoint
from app.widgets import label
from core.endpoints import DEFAULT_CONTEXT_TOKENS, Endpoint
from core.errors import PostilError

if TYPE_CHECKING:
    from app.composition import Postil
    from rag.llm.client import LLMClient

_MAX_CONTEXT_TOKENS = 4_000_000
_LISTED_MODELS = 60


class EndpointDialog(QDialog):
    """A form for one endpoint, which can list its models and try it before it is kept."""

    def __init__(
        self,
        postil: Postil,
        background: Background,
        parent: QWidget,
        endpoint: Endpoint | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._postil = postil
        self._background = background
        self._before = endpoint
        self._closing = False
        self.setWindowTitle("Add an endpoint" if endpoint is None else f"Change {endpoint.name}")
        self.setMinimumWidth(520)
        self._build()
        if endpoint is not None:
            self._fill(endpoint)
        self._tell_privacy()
        self._enable()
        background.spawn(self._tell_place())

    def _build(self) -> None:
        self._name = _field("Name", "My model")
        self._url = _field("Address", "http://localhost:11434/v1")
        self._model = _field("Model", "Its name at that address")
        self._key = _field("Key", "None needed" if self._before is None else "Leave as it is")
        self._key.setEchoMode(QLineEdit.EchoMode.Password)
        self._context = QSpinBox()
        self._context.setRange(512, _MAX_CONTEXT_TOKENS)
        self._context.setSingleStep(1024)
        self._context.setGroupSeparatorShown(True)
        self._context.setValue(DEFAULT_CONTEXT_TOKENS)
        self._context.setSuffix(" tokens")
        self._context.setAccessibleName("Context size")
        self._list = QPushButton("List models")
        self._list.setAutoDefault(False)
        self._list.setToolTip("Ask the endpoint which models it has")
        self._list.clicked.connect(lambda: self._run(self._list_models()))
        model_row = QHBoxLayout()
        model_row.setSpacing(8)
        model_row.addWidget(self._model, 1)
        model_row.addWidget(self._list)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for name, widget in (
            ("&Name", self._name),
            ("&Address", self._url),
            ("&Model", self._model),
            ("&Key", self._key),
            ("&Context size", self._context),
        ):
            words = QLabel(name)
            words.setBuddy(widget)
            words.setFixedHeight(widget.sizeHint().height())
            form.addRow(words, model_row if widget is self._model else widget)
        self._privacy_frame = QFrame()
        self._privacy = label(wrap=True)
        inner = QVBoxLayout(self._privacy_frame)
        inner.setContentsMargins(12, 10, 12, 10)
        inner.addWidget(self._privacy)
        self._outcome = label(wrap=True)
        self._outcome.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 20)
        column.setSpacing(16)
        column.addWidget(
            label(
                "Any server that speaks the OpenAI API: Ollama, LM Studio, llama.cpp, vLLM, "
                "or a service on the web.",
                tone="muted",
                wrap=True,
            )
        )
        column.addLayout(form)
        column.addWidget(self._privacy_frame)
        column.addWidget(self._outcome)
        column.addLayout(self._button_row())
        for field in (self._name, self._url, self._model):
            field.textChanged.connect(self._enable)
        self._url.textChanged.connect(self._tell_privacy)

    def _button_row(self) -> QHBoxLayout:
        self._test = QPushButton("&Test")
        self._test.setAutoDefault(False)
        self._test.setToolTip("Have the model say a word")
        self._test.clicked.connect(lambda: self._run(self._try_out()))
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self._save = QPushButton("Add" if self._before is None else "Save")
        self._save.setDefault(True)
        self._save.clicked.connect(lambda: self._run(self._keep()))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._test)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self._save)
        return row

    def _fill(self, endpoint: Endpoint) -> None:
        self._name.setText(endpoint.name)
        self._url.setText(endpoint.base_url)
        self._model.setText(endpoint.model)
        self._context.setValue(endpoint.context_tokens)

    def _endpoint(self) -> Endpoint:
        return Endpoint(
            name=self._name.text().strip(),
            base_url=self._url.text().strip().rstrip("/"),
            model=self._model.text().strip(),
            context_tokens=self._context.value(),
        )

    async def _tell_place(self) -> None:
        """Say where a key would be kept."""
        place = await self._background.read(lambda: self._postil.secrets.place)
        if not self._closing:
            self._key.setToolTip(f"Kept in {place}, never in the library")

    def _tell_privacy(self) -> None:
        """Say where passages will go, before anything is sent."""
        endpoint = self._endpoint()
        if not endpoint.host:
            words, kind = "Enter the address to see where passages will go.", "notice"
        elif endpoint.is_loopback:
            words, kind = "This endpoint runs on this computer: nothing leaves it.", "notice"
        else:
            words = (
                f"Your questions, and passages of the books they are about, will be sent to "
                f"{endpoint.host}. What happens to them there is up to whoever runs it."
            )
            kind = "error"
        self._privacy.setText(words)
        self._privacy_frame.setProperty("kind", kind)
        self._privacy_frame.style().unpolish(self._privacy_frame)
        self._privacy_frame.style().polish(self._privacy_frame)

    def _enable(self) -> None:
        endpoint = self._endpoint()
        self._list.setEnabled(bool(endpoint.host))
        complete = bool(endpoint.host and endpoint.model)
        self._test.setEnabled(complete)
        self._save.setEnabled(complete and bool(endpoint.name))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something with the endpoint; another press starts it anew."""
        self._background.spawn(self._guarded(work), replacing="endpoint dialog")

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except PostilError as error:
            self._tell(str(error), tone="danger")

    async def _client(self) -> LLMClient:
        from rag.llm.client import LLMClient

        key = self._key.text() or None
        if key is None and self._before is not None:
            key = await self._background.read(self._postil.secrets.get, self._before.name)
        return LLMClient(self._endpoint(), key, None)

    async def _list_models(self) -> None:
        self._tell("Asking which models there are…")
        client = await self._client()
        try:
            names = await client.list_models()
        finally:
            await client.close()
        if self._closing:
            return
        self._tell(f"{len(names)} models there." if names else "It names no models.")
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in names[:_LISTED_MODELS]:
            self._offer_model(menu, name)
        if names:
            menu.popup(self._list.mapToGlobal(QPoint(0, self._list.height() + 4)))

    def _offer_model(self, menu: QMenu, name: str) -> None:
        action = menu.addAction(name.replace("&", "&&"))
        action.triggered.connect(lambda: self._model.setText(name))

    async def _try_out(self) -> None:
        self._tell("Waiting for its first word…")
        client = await self._client()
        try:
            self._tell(await client.test())
        finally:
            await client.close()

    async def _keep(self) -> None:
        endpoint, key = self._endpoint(), self._key.text() or None
        if self._before is None:
            await self._background.write(self._postil.add_endpoint, endpoint, key)
            await self._background.write(self._choose, endpoint.name)
        else:
            await self._background.write(
                change_endpoint, self._postil, self._before.name, endpoint, key
            )
        if not self._closing:
            self.accept()

    def _choose(self, name: str) -> None:
        """Let a new endpoint answer from now on."""
        settings = self._postil.settings
        self._postil.change_settings(settings.model_copy(update={"answer_endpoint": name}))

    def _tell(self, words: str, tone: str = "muted") -> None:
        if self._closing:
            return
        self._outcome.setProperty("tone", tone)
        self._outcome.style().unpolish(self._outcome)
        self._outcome.style().polish(self._outcome)
        self._outcome.setText(words)
        self._outcome.show()

    def done(self, result: int) -> None:
        """Close; what is still being asked of the endpoint is of no interest any more."""
        self._closing = True
        super().done(result)


def _field(name: str, placeholder: str) -> QLineEdit:
    made = QLineEdit()
    made.setAccessibleName(name)
    made.setPlaceholderText(placeholder)
    return made
