"""The conversation pane: asks, shows what comes, and keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from app.actions import Actions
from app.background import Background
from app.conversation.asking import Asked, Asker, foot_words, model_words
from app.conversation.choices import EndpointPicker, ScopeChoice, ScopePicker
from app.conversation.composer import Composer
from app.conversation.history_menu import HistoryMenu
from app.conversation.passage_card import Place
from app.conversation.places import PlaceFinder
from app.conversation.transcript import Transcript
from app.conversation.turn_view import TurnView
from app.theme import Theme
from app.widgets import BAR_HEIGHT_PX, ElidedLabel, Pane, pane_bar, tool_button
from core.conversations import Conversation, Message
from core.events import LocalModelChanged
from core.scope import Scope

if TYPE_CHECKING:
    from app.composition import Postil


class ConversationPane(Pane):
    """One conversation at a time; each answer is kept as soon as it ends.

    Signals:
        placeChosen: a `Place` to show on the page.
        scopeChanged: the `ScopeChoice` that the reader made.
        conversationChanged: the id of the conversation shown, None for a new one.
    """

    placeChosen = Signal(object)
    scopeChanged = Signal(object)
    conversationChanged = Signal(object)
    endpointWanted = Signal()

    def __init__(
        self,
        postil: Postil,
        background: Background,
        actions: Actions,
        theme: Theme,
        *,
        scope_to_here: Callable[[], Scope | None],
        library_scope: Callable[[], Scope],
        empty: QWidget,
    ) -> None:
        super().__init__("conversationPane")
        self._postil = postil
        self._background = background
        self._actions = actions
        self._theme = theme
        self._scope_to_here = scope_to_here
        self._library_scope = library_scope
        self._conversation: Conversation | None = None
        self._messages: list[Message] = []
        self._asker = Asker(postil, background)
        self._task: asyncio.Task[None] | None = None
        self._streaming: asyncio.Task[None] | None = None
        self._build(empty)
        self._connect()

    @property
    def transcript(self) -> Transcript:
        """The turns shown."""
        return self._transcript

    @property
    def composer(self) -> Composer:
        """Where questions are typed."""
        return self._composer

    @property
    def scope_picker(self) -> ScopePicker:
        """What questions are put to."""
        return self._scope

    @property
    def busy(self) -> bool:
        """Say whether an answer is still coming."""
        return self._task is not None

    def suggest(self, question: str) -> None:
        """Put a question into the box for the reader to send or change."""
        self._composer.box.setPlainText(question)
        self._composer.box.setFocus()

    def ask(self, question: str) -> None:
        """Ask, unless an answer is still coming."""
        if self._task is not None:
            return
        view = self._add_view(question)
        asked = Asked(
            question, self._current_scope(), tuple(self._messages), self._conversation, view
        )
        self._task = self._background.spawn(self._ask(asked))
        self._composer.set_busy(True)
        self._enable_actions()

    def stop(self) -> None:
        """Stop the answer; what has come is kept."""
        if self._streaming is not None:
            self._streaming.cancel()

    async def finish(self) -> None:
        """Stop the answer and wait until what has come is kept."""
        task = self._task
        if task is not None:
            self.stop()
            await asyncio.wait((task,))

    def begin_anew(self) -> None:
        """Begin a new conversation."""
        self._background.spawn(self._begin_anew())

    async def _begin_anew(self) -> None:
        await self.finish()
        self._conversation, self._messages = None, []
        self._transcript.clear()
        self._title.setText("Conversation")
        self.conversationChanged.emit(None)
        self._enable_actions()
        self._composer.box.setFocus()

    async def restore(self, conversation_id: int | None) -> None:
        """Show a conversation that was kept; one that is gone leaves a new one."""
        kept = await self._background.read(self._postil.library.conversations.all)
        found = next((one for one in kept if one.id == conversation_id), None)
        if found is not None:
            await self._show_conversation(found)

    async def refresh_endpoints(self) -> None:
        """Offer the endpoints and the models on this computer as they are now."""
        endpoints = await self._background.read(self._postil.library.endpoints.all)
        models = await self._background.read(self._postil.local_models.all)
        settings = await self._background.read(lambda: self._postil.settings)
        names = [model.name for model in models]
        self._endpoint.show_answerers(names, endpoints, settings.answer_endpoint)

    def mark_place(self, place: Place | None) -> None:
        """Mark the card of the passage that the page shows."""
        for turn in self._transcript.turns:
            turn.mark_current(place)

    def _build(self, empty: QWidget) -> None:
        self._title = ElidedLabel("Conversation")
        self._title.setObjectName("paneTitle")
        earlier: QToolButton = tool_button(self._actions["pick_conversation"])
        bar = pane_bar(
            self._title, earlier, tool_button(self._actions["new_conversation"]), wide=self._title
        )
        self._transcript = Transcript(empty)
        self._scope = ScopePicker(self._actions)
        self._endpoint = EndpointPicker(self._actions)
        self._composer = Composer(self._theme, self._scope, self._endpoint)
        holder = QVBoxLayout()
        holder.setContentsMargins(12, 4, 12, 12)
        holder.addWidget(self._composer)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._transcript, 1)
        column.addLayout(holder)
        self.setMinimumWidth(300)

    def _connect(self) -> None:
        self._composer.asked.connect(self.ask)
        self._composer.stopped.connect(self.stop)
        self._scope.changed.connect(self._scope_chosen)
        self._endpoint.chosen.connect(self.choose_endpoint)
        self._endpoint.endpointWanted.connect(self.endpointWanted)
        actions = self._actions
        actions["focus_question"].triggered.connect(self._composer.box.setFocus)
        actions["stop_answer"].triggered.connect(self.stop)
        actions["ask_again"].triggered.connect(self._ask_again)
        actions["copy_answer"].triggered.connect(self._copy_last)
        actions["new_conversation"].triggered.connect(self.begin_anew)
        actions["pick_conversation"].triggered.connect(
            lambda: self._background.spawn(self._drop_history())
        )
        self._tell_scope()
        self._enable_actions()

    def set_book_open(self, is_open: bool) -> None:
        """Offer the open book as a scope."""
        self._scope.set_book_open(is_open)
        self._tell_scope()

    def _scope_chosen(self, choice: ScopeChoice) -> None:
        self._tell_scope()
        self.scopeChanged.emit(choice)

    def _tell_scope(self) -> None:
        whole = self._scope.choice is ScopeChoice.LIBRARY
        self._composer.box.setPlaceholderText(
            "Ask your library a question" if whole else "Ask this book a question"
        )

    def _add_view(self, question: str) -> TurnView:
        view = TurnView(question, self._theme)
        view.placeChosen.connect(self.placeChosen)
        view.retryWanted.connect(lambda: self._retry(view))
        view.copyWanted.connect(lambda: self._copy(view))
        self._transcript.add_turn(view)
        return view

    async def _ask(self, asked: Asked) -> None:
        self._streaming = asyncio.ensure_future(self._asker.ask(asked))
        try:
            await self._streaming
            self._messages.append(await self._asker.settle(asked))
            self._take_up(asked.conversation)
        finally:
            self._task = self._streaming = None
            self._composer.set_busy(False)
            self._enable_actions()

    def _take_up(self, conversation: Conversation | None) -> None:
        if conversation is not None and self._conversation is None:
            self._conversation = conversation
            self._title.setText(conversation.title)
            self.conversationChanged.emit(conversation.id)

    def _retry(self, view: TurnView) -> None:
        if self._task is None:
            self.ask(view.question)

    def _ask_again(self) -> None:
        if self._transcript.turns:
            self.ask(self._transcript.turns[-1].question)

    def _current_scope(self) -> Scope:
        here = self._scope_to_here()
        if self._scope.choice is ScopeChoice.LIBRARY or here is None or here.books is None:
            return self._library_scope()
        if self._scope.choice is ScopeChoice.TO_HERE:
            return here
        return Scope.book(here.books[0].book_id)

    async def _show_conversation(self, conversation: Conversation) -> None:
        await self.finish()
        messages = await self._background.read(
            self._postil.library.conversations.messages, conversation.id
        )
        self._transcript.clear()
        self._conversation, self._messages = conversation, messages
        self._title.setText(conversation.title)
        self.conversationChanged.emit(conversation.id)
        finder = PlaceFinder(self._postil.library.books)
        for message in messages:
            places = await self._background.read(finder.places, message.citations)
            view = self._add_view(message.question)
            view.finish(message.answer, places, by_model=message.model is not None)
            if message.error:
                view.show_error(message.error, retry=True)
            else:
                view.show_foot(
                    foot_words(message.model, stopped=message.stopped),
                    copyable=bool(message.answer),
                )
        self._enable_actions()

    async def _drop_history(self) -> None:
        kept = await self._background.read(self._postil.library.conversations.all)
        menu = HistoryMenu(kept, self._conversation, self)
        menu.chosen.connect(lambda one: self._background.spawn(self._show_conversation(one)))
        menu.removeWanted.connect(lambda: self._background.spawn(self._remove()))
        menu.popup(self.mapToGlobal(QPoint(16, BAR_HEIGHT_PX)))

    async def _remove(self) -> None:
        conversation = self._conversation
        await self._begin_anew()
        if conversation is not None:
            store = self._postil.library.conversations
            await self._background.write(store.remove, conversation.id)

    def choose_endpoint(self, name: str | None) -> None:
        """Have questions answered by an endpoint or a local model from now on; None: by none."""

        def choose() -> None:
            settings = self._postil.settings
            self._postil.change_settings(settings.model_copy(update={"answer_endpoint": name}))

        self._background.spawn(self._background.write(choose))

    def tell_model(self, changed: LocalModelChanged) -> None:
        """Say, below a question that waits, how far its model on this computer is."""
        words = model_words(changed)
        if words and self._task is not None and self._transcript.turns:
            self._transcript.turns[-1].say(words)

    def _copy(self, view: TurnView) -> None:
        sources = [
            f"[{card.place.number}] {card.place.book_title}, {card.place.chapter}"
            for card in view.cards
        ]
        QGuiApplication.clipboard().setText("\n".join([view.text, "", *sources]).strip())

    def _copy_last(self) -> None:
        if self._transcript.turns:
            self._copy(self._transcript.turns[-1])

    def _enable_actions(self) -> None:
        busy, some = self._task is not None, bool(self._transcript.turns)
        self._actions["stop_answer"].setEnabled(busy)
        self._actions["ask_again"].setEnabled(some and not busy)
        self._actions["copy_answer"].setEnabled(some)
