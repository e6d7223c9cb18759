"""What a reader does with Postil, played in a real window: `python stories.py NAME`.

Each story is a program of its own, as each start of Postil is; pytest runs them on Xvfb.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

# Beside tests/app, `import app` would find that folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel

from app.conversation.composer import Picker
from app.dialogs.endpoint_dialog import EndpointDialog
from app.main import make_application
from app.theme import DARK, LIGHT, Theme
from core.books import BookStatus
from core.home import Home
from support.epubs import write_with_ebooklib
from support.hand import Hand
from support.ingest import write_novel
from support.window import OpenedWindow, opened_window, until, window_loop

PICTURES = Path("tests/output/end_to_end")
QUESTION = "Where did the keeper hide the brass key?"
ANSWER = "The keeper hid the brass key under the seventh stone of the garden wall."
CHAPTERS = (
    ("The Harbour", "<h1>The Harbour</h1>" + "<p>The harbour lay under fog all winter.</p>" * 30),
    (
        "The Keeper",
        "<h1>The Keeper</h1>"
        + "<p>Boats came and went, and the nets were mended on the quay.</p>" * 40
        + f"<p>{ANSWER}</p>"
        + "<p>Rain fell on the roofs of the village for nine days.</p>" * 40,
    ),
)


def shown_words(opened: OpenedWindow) -> str:
    """Return all words that can be seen."""
    labels = opened.window.findChildren(QLabel)
    return "\n".join(one.text() for one in labels if one.isVisible())


def pixels(opened: OpenedWindow, colour: str) -> int:
    """Count the pixels of a colour on the page that is on view."""
    image = opened.session.reading.page.viewport().grab().toImage()
    wanted = QColor(colour).rgb()
    rows, columns = range(0, image.height(), 2), range(0, image.width(), 2)
    return sum(image.pixel(x, y) == wanted for y in rows for x in columns)


async def first_day(opened: OpenedWindow, hand: Hand, folder: Path) -> None:
    """From the first start to the dark theme."""
    session, window = opened.session, opened.window
    await hand.focus(window)
    assert "Bring your books" in shown_words(opened)
    await hand.picture("01-first-start")

    book = folder / "harbour.epub"
    write_with_ebooklib(book, CHAPTERS)
    hand.carry_over(book)
    assert "Drop to add to your library" in shown_words(opened)
    await hand.picture("02-book-over-the-window")
    hand.carry_off()
    assert "Drop to add" not in shown_words(opened)
    hand.drop(book)
    await until(lambda: session.reading.book_id is not None, 60)
    await until(lambda: session.books.books()[0].status is BookStatus.READY, 60)

    await hand.press("Ctrl+K")
    await hand.type(QUESTION)
    await hand.press("Return")
    await until(lambda: bool(session.conversation.transcript.turns))
    await until(lambda: not session.conversation.busy, 60)
    (turn,) = session.conversation.transcript.turns
    await until(lambda: bool(turn.cards))
    await hand.picture("03-answer")

    assert pixels(opened, LIGHT.highlight) == 0
    card = next(one for one in turn.cards if "brass key" in one.place.text)
    await hand.click(card)
    await until(lambda: session.reading.page.highlighted == card.place.span)
    await until(lambda: pixels(opened, LIGHT.highlight) > 100)
    await hand.picture("04-cited-passage")
    await choose(opened, hand)
    await cancel_a_long_book(opened, hand, folder)

    await hand.press("Ctrl+Alt+2")
    await until(lambda: pixels(opened, DARK.page) > 1000)
    await hand.picture("07-dark")


async def choose(opened: OpenedWindow, hand: Hand) -> None:
    """Choose what is asked, and look at who may answer."""
    scope, endpoint = opened.session.conversation.composer.findChildren(Picker)
    menu = await hand.open_menu(scope)
    await hand.picture("05-scope")
    await hand.pick(menu, "Ask the whole library")
    assert "Whole library" in scope.text()
    menu = await hand.open_menu(endpoint)
    assert any("No model" in action.text() for action in menu.actions())
    await hand.picture("06-endpoints")
    await hand.pick(menu, "Add an endpoint")
    await until(lambda: bool(opened.window.findChildren(EndpointDialog)))
    (dialog,) = opened.window.findChildren(EndpointDialog)
    await hand.focus(dialog)
    await hand.press("Esc")
    await until(lambda: not opened.window.findChildren(EndpointDialog))
    await hand.focus(opened.window)


async def cancel_a_long_book(opened: OpenedWindow, hand: Hand, folder: Path) -> None:
    """Drop a book that takes long, and think better of it."""
    session = opened.session
    hand.drop(write_novel(folder / "long.txt", seed=1, paragraphs=4000))
    await until(lambda: session.jobs.summary.active > 0, 60)
    await until(opened.window.actions_["cancel_ingest"].isEnabled)
    await hand.press("Ctrl+Shift+X")
    await until(lambda: session.jobs.summary.active == 0, 60)
    assert not any(book.status is BookStatus.READY for book in session.books.books()[1:])


async def next_day(opened: OpenedWindow, hand: Hand, _: Path) -> None:
    """All is as it was left."""
    session = opened.session
    await hand.focus(opened.window)
    await until(lambda: session.reading.book_id is not None)
    await until(lambda: pixels(opened, DARK.page) > 1000)
    (turn,) = session.conversation.transcript.turns
    assert turn.question == QUESTION
    assert any("brass key" in card.place.text for card in turn.cards)
    assert opened.window.actions_["theme_dark"].isChecked()
    scope = session.conversation.composer.findChildren(Picker)[0]
    assert "Whole library" in scope.text()
    await hand.picture("08-next-day")
    card = next(one for one in turn.cards if "brass key" in one.place.text)
    await hand.click(card)
    await until(lambda: pixels(opened, DARK.highlight) > 100)
    opened.window.close()


STORIES: dict[str, Callable[[OpenedWindow, Hand, Path], Awaitable[None]]] = {
    "first_day": first_day,
    "next_day": next_day,
}


async def play(name: str, theme: Theme) -> None:
    """Play one story on the home that POSTIL_HOME names."""
    async with opened_window(Home.locate(), theme) as opened:
        with tempfile.TemporaryDirectory() as folder:
            await STORIES[name](opened, Hand(opened.window, PICTURES), Path(folder))


def main() -> None:
    """Play the story that the command line names."""
    theme = Theme(make_application())
    assert QApplication.platformName() == "xcb"
    with window_loop() as loop:
        loop.run_until_complete(play(sys.argv[1], theme))


if __name__ == "__main__":
    main()
