"""One open library in the window: makes the panes, joins them, and closes all in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.background import Background
from app.conversation.choices import ScopeChoice
from app.conversation.pane import ConversationPane
from app.conversation.passage_card import Place
from app.embedding.changer import ModelChanger
from app.embedding.strip import ModelStrip
from app.event_bridge import EventBridge
from app.ingest.job_model import JobTableModel
from app.ingest.panel import IngestPanel
from app.ingest.strip import IngestStrip
from app.library.book_model import BookListModel, BookOrder
from app.library.covers import Covers
from app.library.pane import LibraryPane
from app.reading.pane import ReadingPane
from app.theme import Theme
from app.window.dialog_verbs import DialogVerbs
from app.window.ingest_verbs import IngestVerbs
from app.window.library_verbs import LibraryVerbs
from app.window.main_window import MainWindow
from app.window.memory import WindowMemory, load_memory, save_memory
from app.window.removal_notes import RemovalNotes
from app.window.welcome import FirstQuestions, Welcome
from core.books import BookId
from core.settings import Settings
from core.settings import Theme as ThemeChoice

if TYPE_CHECKING:
    from app.composition import Postil

_GUIDE_FILE = "postil-guide.epub"
_THEME_ACTIONS = {
    ThemeChoice.SYSTEM: "theme_system",
    ThemeChoice.LIGHT: "theme_light",
    ThemeChoice.DARK: "theme_dark",
}


class Session(QObject):
    """The panes of a window on one library.

    Attributes:
        books: the books shown.
        jobs: the ingest jobs shown.
        library: the pane on the left.
        reading: the pane in the middle.
        conversation: the pane on the right.
        models: brings embedding models into use.
        ready: whether the library is shown as the reader left it.
    """

    def __init__(
        self, postil: Postil, window: MainWindow, background: Background, theme: Theme
    ) -> None:
        super().__init__(window)
        self._postil = postil
        self._window = window
        self._background = background
        self._theme = theme
        self._memory = WindowMemory()
        self._settings = Settings()
        self._starting: asyncio.Task[None] | None = None
        self.ready = False
        self._bridge = EventBridge(postil.events, asyncio.get_running_loop())
        self.books = BookListModel(self)
        self.jobs = JobTableModel(self._title_of, self)
        self._verbs = LibraryVerbs(postil, background, self.books, window)
        self._make_panes()
        self._ingest = IngestVerbs(postil, background, self._bridge, self.jobs, self.books)
        self.models = ModelChanger(
            postil, background, self._ingest.start, lambda: not self.conversation.busy, self
        )
        self._dialogs = DialogVerbs(postil, background, self._bridge, self.models, window)
        self._connect()

    async def start(self) -> None:
        """Show the library as the reader left it, and go on with what was under way."""
        store = self._postil.library.settings
        self._memory = await self._background.read(load_memory, store)
        self._settings = await self._background.read(lambda: self._postil.settings)
        self._window.restore(self._memory)
        self._take_up_choices()
        await self._verbs.refresh_all()
        if self._memory.book_id is not None and self.books.book(self._memory.book_id):
            self.reading.open_book(self._memory.book_id)
        self._focus_first()
        await self.conversation.refresh_endpoints()
        await self.conversation.restore(self._memory.conversation_id)
        self.ready = True
        self._starting = self._background.spawn(self._start_work())

    async def _start_work(self) -> None:
        """Begin what may come after the window is there."""
        await self._ingest.start()
        await self.models.look()

    def _focus_first(self) -> None:
        """Give the focus to what the reader will most likely want."""
        if not self.books.rowCount():
            self._welcome.setFocus()
        elif self._memory.book_id is not None:
            self.reading.page.setFocus()
        else:
            self.library.setFocus()

    async def close(self) -> None:
        """Keep what is to be kept, and close what was opened."""
        self._bridge.close()
        if self._starting is not None:
            await asyncio.wait((self._starting,))  # a runner half started could not be closed
        await self.models.finish()
        await self.conversation.finish()
        await self.reading.finish()
        await self._verbs.removals.settle_now()
        self._window.remember(self._memory)
        await self._background.write(save_memory, self._postil.library.settings, self._memory)
        if "ingest" in vars(self._postil):
            await self._postil.ingest.close()
        await self._postil.close_models()
        await self._background.close()

    def _make_panes(self) -> None:
        actions = self._window.actions_
        library, theme = self._postil.library, self._theme
        covers = Covers(self._postil.home.covers_dir, self._background, self)
        self.library = LibraryPane(self.books, covers, actions, theme)
        self._welcome = Welcome(actions["add_books"], actions["user_guide"])
        self.reading = ReadingPane(
            library.books, self._background, actions, theme, empty=self._welcome
        )
        self._questions = FirstQuestions()
        self.conversation = ConversationPane(
            self._postil,
            self._background,
            actions,
            theme,
            scope_to_here=lambda: self.reading.scope_to_here,
            library_scope=self._verbs.removals.library_scope,
            empty=self._questions,
        )
        self._questions.suggested.connect(self.conversation.suggest)
        self._strip = IngestStrip(self.jobs, actions)
        self._panel = IngestPanel(self.jobs)
        self._model_strip = ModelStrip()
        foot = (self._model_strip, self._panel, self._strip)
        self._window.set_panes(self.library, self.reading, self.conversation, foot)

    def _connect(self) -> None:
        self._connect_books()
        self._connect_ingest()
        self._connect_models()
        reading, conversation, actions = self.reading, self.conversation, self._window.actions_
        reading.bookOpened.connect(self._book_opened)
        reading.bookClosed.connect(self._book_closed)
        reading.fontScaleChanged.connect(self._keep_font_scale)
        conversation.placeChosen.connect(self._show_place)
        conversation.scopeChanged.connect(self._keep_scope)
        conversation.conversationChanged.connect(self._keep_conversation)
        conversation.endpointWanted.connect(self._dialogs.add_endpoint)
        self._bridge.endpointsChanged.connect(
            lambda: self._background.spawn(conversation.refresh_endpoints())
        )
        self._bridge.modelChanged.connect(conversation.tell_model)
        self._dialogs.localModelChosen.connect(conversation.choose_endpoint)
        for choice, name in _THEME_ACTIONS.items():
            actions[name].triggered.connect(lambda _=False, one=choice: self._choose_theme(one))

    def _connect_books(self) -> None:
        actions, verbs, window = self._window.actions_, self._verbs, self._window
        actions["add_books"].triggered.connect(verbs.choose_files)
        actions["add_folder"].triggered.connect(verbs.choose_folder)
        actions["user_guide"].triggered.connect(verbs.open_guide)
        selected = self.library.selected_books
        actions["book_details"].triggered.connect(lambda: verbs.show_details(selected()[0]))
        actions["show_source"].triggered.connect(lambda: verbs.show_source(selected()[0]))
        actions["retry_book"].triggered.connect(lambda: verbs.retry(selected()))
        actions["remove_books"].triggered.connect(lambda: verbs.removals.remove(selected()))
        RemovalNotes(verbs.removals, self.reading, window)
        window.filesDropped.connect(verbs.add)
        window.activated.connect(lambda: self._background.spawn(verbs.refresh_all()))
        self._bridge.booksChanged.connect(verbs.refresh)
        verbs.told.connect(window.toast.tell)
        verbs.bookReadable.connect(self._book_readable)
        verbs.bookWanted.connect(self.reading.open_book)
        verbs.bookGone.connect(self._book_gone)
        self.library.bookChosen.connect(self.reading.open_book)
        self.library.orderChanged.connect(self._keep_order)
        for signal in (self.books.modelReset, self.books.rowsInserted, self.books.rowsRemoved):
            signal.connect(lambda *_: self._welcome.show_books(self.books.rowCount()))

    def _connect_ingest(self) -> None:
        actions, ingest = self._window.actions_, self._ingest
        ingest.told.connect(self._window.toast.tell)
        everything = self.jobs.open_jobs
        actions["pause_ingest"].triggered.connect(lambda: ingest.hold_or_go_on(everything()))
        actions["cancel_ingest"].triggered.connect(lambda: ingest.cancel(everything()))
        actions["show_jobs"].toggled.connect(self._panel.setVisible)
        self._panel.closed.connect(lambda: actions["show_jobs"].setChecked(False))
        self._panel.pauseWanted.connect(ingest.hold_or_go_on)
        self._panel.cancelWanted.connect(ingest.cancel)
        self._panel.retryWanted.connect(ingest.retry)
        self._strip.dismissed.connect(self.jobs.clear_over)

    def _connect_models(self) -> None:
        models, strip = self.models, self._model_strip
        models.changed.connect(strip.show_work)
        models.told.connect(self._window.toast.tell)
        models.inUse.connect(lambda: self._background.spawn(self._verbs.refresh_all()))
        strip.wanted.connect(models.use)
        strip.cancelled.connect(models.cancel)
        strip.putAside.connect(models.put_aside)

    def _take_up_choices(self) -> None:
        self._choose_theme(self._settings.theme, keep=False)
        self.reading.set_font_scale(self._settings.font_scale)
        if self._memory.order in list(BookOrder):
            self.library.set_order(BookOrder(self._memory.order))
        if self._memory.scope in list(ScopeChoice):
            self.conversation.scope_picker.set_choice(ScopeChoice(self._memory.scope))

    def _title_of(self, book_id: BookId) -> str | None:
        book = self.books.book(book_id)
        return None if book is None else book.title

    def _book_readable(self, book_id: BookId) -> None:
        """Open a book that has just come in, where none is open."""
        if self.reading.book_id is None:
            self.reading.open_book(book_id)

    def _book_opened(self, book_id: BookId) -> None:
        self._memory.book_id = book_id
        self.library.select_book(book_id)
        self.conversation.set_book_open(True)
        book = self.books.book(book_id)
        self._questions.show_guide(book is not None and book.source_name == _GUIDE_FILE)
        self._window.setWindowTitle(f"{book.title} · Postil" if book is not None else "Postil")

    def _book_gone(self, book_id: BookId) -> None:
        if self.reading.book_id == book_id:
            self.reading.close_book()

    def _book_closed(self) -> None:
        self._memory.book_id = None
        self.conversation.set_book_open(False)
        self._questions.show_guide(False)
        self._window.setWindowTitle("Postil")

    def _show_place(self, place: Place) -> None:
        if self.books.book(place.book_id) is None:
            self._window.toast.tell("That book is no longer in the library.")
            return
        self.reading.show_span(place.book_id, place.span)
        self.conversation.mark_place(place)

    def _choose_theme(self, choice: ThemeChoice, *, keep: bool = True) -> None:
        for one, name in _THEME_ACTIONS.items():
            self._window.actions_[name].setChecked(one is choice)
        self._theme.choose(choice)
        if keep:
            self._change_setting(theme=choice)

    def _keep_font_scale(self, scale: float) -> None:
        self._change_setting(font_scale=scale)

    def _change_setting(self, **changes: object) -> None:
        def change() -> None:
            before = self._postil.settings
            after = before.model_copy(update=changes)
            if after != before:
                self._postil.change_settings(after)

        self._background.spawn(self._background.write(change))

    def _keep_order(self, order: BookOrder) -> None:
        self._memory.order = order.value

    def _keep_scope(self, choice: ScopeChoice) -> None:
        self._memory.scope = choice.value

    def _keep_conversation(self, conversation_id: int | None) -> None:
        self._memory.conversation_id = conversation_id
