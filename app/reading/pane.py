"""The reading pane: moves about in a book and shows spans of it."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.actions import Actions
from app.background import Background
from app.reading.bars import PlaceBar, ReadingBar, VisitBar
from app.reading.book_search import BookSearch
from app.reading.contents_popup import ContentsPopup
from app.reading.opened_book import OpenedBook, load_opened_book
from app.reading.page import Page
from app.reading.place_keeper import PlaceKeeper
from app.reading.typography import BASE_SIZE_PX, PageStyle
from app.theme import Theme
from app.widgets import Pane
from core.books import BookId
from core.ports import BookStore
from core.scope import Scope
from core.text import Span

MIN_FONT_SCALE = 0.6
MAX_FONT_SCALE = 2.4
_FONT_STEP = 1.1
_BOOK_ACTIONS = (
    "find",
    "find_next",
    "find_previous",
    "larger_text",
    "smaller_text",
    "usual_text",
)


class ReadingPane(Pane):
    """One book, section by section.

    The reader's place is kept where they read. A cited passage or a place that a search found is
    a visit: the place stays where it was until the reader decides to read on there.

    Signals:
        bookOpened: its id.
        bookClosed: no book is open any more.
        fontScaleChanged: size of the text, as a multiple of the usual.
    """

    bookOpened = Signal(int)
    bookClosed = Signal()
    fontScaleChanged = Signal(float)

    def __init__(
        self,
        books: BookStore,
        background: Background,
        actions: Actions,
        theme: Theme,
        *,
        empty: QWidget,
        font_scale: float = 1.0,
    ) -> None:
        super().__init__("readingPane")
        self._books = books
        self._background = background
        self._actions = actions
        self._theme = theme
        self._font_scale = font_scale
        self._opened: OpenedBook | None = None
        self._shown = -1
        self._moving = asyncio.Lock()
        self._build(empty)
        here = self._page.first_visible_offset
        self._place = PlaceKeeper(books, background, here, self)
        self._connect()
        self._enable_actions()

    @property
    def book_id(self) -> BookId | None:
        """The book that is open."""
        return None if self._opened is None else self._opened.book.id

    @property
    def page(self) -> Page:
        """The page on view."""
        return self._page

    @property
    def scope_to_here(self) -> Scope | None:
        """The open book as far as the reader has come, the page on view included."""
        if self._opened is None:
            return None
        place = self._place.offset
        seen = place if self._place.visiting else self._page.last_visible_offset()
        return Scope.book(self._opened.book.id, max(seen, place))

    def open_book(self, book_id: BookId) -> None:
        """Open a book at the reader's place in it."""
        self._background.spawn(self._open(book_id), replacing="reading")

    def show_span(self, book_id: BookId, span: Span) -> None:
        """Show a passage highlighted in its chapter; the reader's place stays where it is."""
        self._background.spawn(self._visit(book_id, span), replacing="reading")

    def close_book(self, *, keep_place: bool = False) -> None:
        """Show no book; `keep_place` where it is still in the library."""
        self._background.cancel("reading")
        if keep_place:
            self._place.keep_now()
        self._place.rest()
        self._place.take_up(None)
        self._opened, self._shown = None, -1
        self._search.take_up(None)
        self._stack.setCurrentIndex(0)
        self._enable_actions()
        self.bookClosed.emit()

    async def finish(self) -> None:
        """Keep the reader's place, before all is closed."""
        await self._place.finish()

    def set_font_scale(self, scale: float) -> None:
        """Set the size of the text and keep the place."""
        self._font_scale = min(max(scale, MIN_FONT_SCALE), MAX_FONT_SCALE)
        self.fontScaleChanged.emit(self._font_scale)
        self._set_again()

    def _build(self, empty: QWidget) -> None:
        self._bar = ReadingBar(self._actions)
        self._visit_bar = VisitBar(self._actions)
        self._page = Page()
        self._search = BookSearch(
            self._books,
            self._background,
            self._actions,
            self._page.first_visible_offset,
            self,
        )
        self._place_bar = PlaceBar()
        reading = QWidget()
        column = QVBoxLayout(reading)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (self._bar, self._search.bar, self._visit_bar, self._page, self._place_bar):
            column.addWidget(widget, 1 if widget is self._page else 0)
        self._stack = QStackedWidget()
        self._stack.addWidget(empty)
        self._stack.addWidget(reading)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        self.setMinimumWidth(320)

    def _connect(self) -> None:
        actions = self._actions
        actions["contents"].triggered.connect(self._drop_contents)
        actions["previous_section"].triggered.connect(lambda: self._turn(-1))
        actions["next_section"].triggered.connect(lambda: self._turn(1))
        self._page.turned.connect(lambda step: self._turn(step, to_end=step < 0))
        actions["back_to_place"].triggered.connect(self._return)
        actions["find"].triggered.connect(self._open_find)
        actions["larger_text"].triggered.connect(lambda: self._scale_text(_FONT_STEP))
        actions["smaller_text"].triggered.connect(lambda: self._scale_text(1 / _FONT_STEP))
        actions["usual_text"].triggered.connect(lambda: self.set_font_scale(1.0))
        self._theme.changed.connect(self._set_again)
        self._page.moved.connect(self._place.note_move)
        self._place.settled.connect(self._tell_place)
        self._visit_bar.stayed.connect(self._stay)
        self._search.placeWanted.connect(self._show_found)
        self._search.ended.connect(self._end_find)

    async def _open(self, book_id: BookId) -> None:
        opened = await self._load(book_id)
        self._place.visiting = False
        await self._show(opened.section_at(self._place.offset))
        self._page.scroll_to(self._place.offset)
        self._tell_place()

    async def _visit(self, book_id: BookId, span: Span) -> None:
        self._place.keep_now()
        opened = self._opened
        if opened is None or opened.book.id != book_id:
            opened = await self._load(book_id)
        self._place.visiting = True
        await self._show(opened.section_at(span.start))
        self._page.highlight(span, self._places_on_page())
        self._page.scroll_to_middle(span)
        self._tell_place()

    async def _load(self, book_id: BookId) -> OpenedBook:
        self._place.keep_now()
        opened = await self._background.read(load_opened_book, self._books, book_id)
        self._opened, self._shown = opened, -1
        self._place.take_up(book_id, opened.book.reading_offset)
        self._search.take_up(book_id)
        self.bookOpened.emit(book_id)
        return opened

    async def _show(self, index: int, *, again: bool = False) -> None:
        """Put a section on the page, unless it is there already."""
        async with self._moving:
            opened = self._opened
            if opened is None or (index == self._shown and not again):
                return
            span = opened.sections[index].span
            blocks = await self._background.read(self._books.blocks, opened.book.id, span)
            style = PageStyle(BASE_SIZE_PX * self._font_scale, self._theme.colours)
            self._stack.setCurrentIndex(1)
            self._shown = -1  # until the page is whole: this may be cancelled on the way
            await self._page.show_blocks(blocks, span, style)
            self._place.rest()
            self._shown = index
            self._page.highlight(None, self._places_on_page())
            self._bar.show_section(opened, index)
            self._enable_actions()

    def _turn(self, step: int, *, to_end: bool = False) -> None:
        """Go to the next section or the one before, to its beginning or its end."""
        opened = self._opened
        if opened is None or self._shown < 0:
            return
        if not 0 <= self._shown + step < len(opened.sections):
            return
        span = opened.sections[self._shown + step].span
        self._go(span.end if to_end else span.start, self._shown + step)

    def _go(self, offset: int, section: int | None = None) -> None:
        """Read on at an offset."""
        self._background.spawn(self._go_to(offset, section), replacing="reading")

    async def _go_to(self, offset: int, section: int | None = None) -> None:
        if self._opened is None:
            return
        self._place.visiting = False
        await self._show(self._opened.section_at(offset) if section is None else section)
        self._page.highlight(None, self._places_on_page())
        self._page.scroll_to(offset)
        self._page.setFocus()
        self._place.keep()
        self._tell_place()

    def _return(self) -> None:
        self._go(self._place.offset)

    def _stay(self) -> None:
        self._place.visiting = False
        self._place.keep()
        self._tell_place()

    def _tell_place(self) -> None:
        if self._opened is None:
            return
        self._place_bar.show_place(self._opened, self._page.first_visible_offset())
        self._visit_bar.setVisible(self._place.visiting)
        self._actions["back_to_place"].setEnabled(self._place.visiting)

    def _scale_text(self, factor: float) -> None:
        self.set_font_scale(self._font_scale * factor)

    def _set_again(self) -> None:
        """Set the page anew, in other colours or another size, with the same lines on view."""
        if self._opened is not None and self._shown >= 0:
            self._background.spawn(self._set_page_again(), replacing="reading")

    async def _set_page_again(self) -> None:
        passage = self._page.highlighted
        offset = self._page.first_visible_offset()
        await self._show(self._shown, again=True)
        self._page.highlight(passage, self._places_on_page())
        if passage is not None and self._place.visiting:
            self._page.scroll_to_middle(passage)
        else:
            self._page.scroll_to(offset)

    def _drop_contents(self) -> None:
        if self._opened is None or not self._opened.chapters:
            return
        here = self._page.first_visible_offset()
        popup = ContentsPopup(self._opened.chapters, here, self)
        popup.chosen.connect(self._go)
        popup.drop_from(self._bar.contents_button)

    def _open_find(self) -> None:
        if self._opened is not None:
            selected = self._page.selected_span()
            phrase = None if selected is None else self._page.text_of(selected)
            self._search.bar.open_bar(phrase)

    def _show_found(self, place: Span) -> None:
        if self._opened is not None:
            self.show_span(self._opened.book.id, place)

    def _end_find(self) -> None:
        self._page.highlight(self._page.highlighted if self._place.visiting else None)

    def _places_on_page(self) -> list[Span]:
        if self._opened is None or self._shown < 0:
            return []
        return self._search.within(self._opened.sections[self._shown].span)

    def _enable_actions(self) -> None:
        opened = self._opened
        last = -1 if opened is None else len(opened.sections) - 1
        for name in _BOOK_ACTIONS:
            self._actions[name].setEnabled(opened is not None)
        self._actions["contents"].setEnabled(opened is not None and bool(opened.chapters))
        self._actions["previous_section"].setEnabled(self._shown > 0)
        self._actions["next_section"].setEnabled(0 <= self._shown < last)
        self._actions["back_to_place"].setEnabled(opened is not None and self._place.visiting)
