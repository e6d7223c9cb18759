"""Takes pictures of the window with real books.

    python tests/screenshots.py [FOLDER]

With POSTIL_CORPUS set it uses novels of the corpus, else books made on the spot. The pictures go to
FOLDER (tests/output/screenshots unless told otherwise) and are there to be looked at.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Beside tests/app, `import app` would find that folder.
sys.path.insert(0, str(Path(__file__).parents[1]))

from app.dialogs.endpoint_dialog import EndpointDialog
from app.main import make_application
from app.reading.contents_popup import ContentsPopup
from app.reading.find_bar import FindBar
from app.theme import Theme
from core.books import BookStatus
from core.endpoints import Endpoint
from core.home import Home
from core.scope import Scope
from core.settings import Theme as ThemeChoice
from core.text import Span
from rag.passages import Passage
from support.endpoint import models, scripted_endpoint, stream
from support.ingest import write_novel
from support.window import OpenedWindow, opened_window, until, window_loop

INGEST_S = 240.0
SENTENCE = re.compile(r"(?<=[.!?] )[A-Z][^“”\"‘.!?]+[.!?]")
QUESTION = "Why did the Time Traveller go down the well to the Morlocks?"
NOVELS = (
    "h-g-wells_the-time-machine.epub",
    "jack-london_the-call-of-the-wild.epub",
    "horace-walpole_the-castle-of-otranto.epub",
    "walt-whitman_leaves-of-grass.epub",
)


class Photographer:
    """Saves what the window shows."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    async def take(self, opened: OpenedWindow, name: str) -> None:
        """Wait a moment and take a picture."""
        await asyncio.sleep(0.5)
        opened.window.grab().save(str(self.folder / f"{name}.png"))
        print(self.folder / f"{name}.png")


def novels(folder: Path) -> Sequence[Path]:
    """Return the books to show."""
    corpus = os.environ.get("POSTIL_CORPUS")
    if corpus:
        return [Path(corpus) / "epub" / "standardebooks" / name for name in NOVELS]
    return [write_novel(folder / f"novel{seed}.epub", seed=seed) for seed in range(5)]


async def show_first_start(opened: OpenedWindow, photographer: Photographer) -> None:
    """An empty library, then the guide."""
    await photographer.take(opened, "01-first-start")
    opened.window.actions_["user_guide"].trigger()
    await until(lambda: opened.session.reading.book_id is not None, INGEST_S)
    await photographer.take(opened, "02-guide")


async def show_ingest(
    opened: OpenedWindow, photographer: Photographer, books: Sequence[Path]
) -> None:
    """Books on their way in, with the panel of jobs and one that fails."""
    opened.window.filesDropped.emit(list(books[:3]))
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "torn.epub"
        broken.write_bytes(b"PK\x03\x04 torn")
        opened.window.filesDropped.emit([broken, *books[3:]])
        await until(lambda: opened.session.jobs.summary.fraction > 0.25, INGEST_S)
    await photographer.take(opened, "03-ingest")
    opened.window.actions_["show_jobs"].setChecked(True)
    await photographer.take(opened, "04-jobs")
    opened.window.actions_["show_jobs"].setChecked(False)
    await until(lambda: opened.session.jobs.summary.active == 0, INGEST_S)
    for book in opened.session.books.books():
        if book.status is BookStatus.FAILED:
            await opened.background.write(opened.postil.remove_book, book.id)
    opened.session.jobs.clear_over()


async def show_reading(opened: OpenedWindow, photographer: Photographer) -> None:
    """A chapter of a novel, and verse."""
    session = opened.session
    opened.window.toast.hide()
    for name, title in (("05-reading", "The Time Machine"), ("06-verse", "Leaves of Grass")):
        book = next((b for b in session.books.books() if b.title == title), None)
        if book is None:
            continue
        session.reading.open_book(book.id)
        await until(lambda book=book: session.reading.book_id == book.id)
        opened.window.actions_["next_section"].trigger()
        await photographer.take(opened, name)


def quotable(passages: Sequence[Passage]) -> list[str]:
    """Return whole sentences of passages that a model might quote."""
    sentences = [one for passage in passages for one in SENTENCE.findall(passage.text)]
    return [sentence for sentence in sentences if 60 < len(sentence) < 180]


async def show_answers(opened: OpenedWindow, photographer: Photographer) -> None:
    """An answer without a model, then one from an endpoint, each with its passage on the page."""
    session = opened.session
    book = next((b for b in session.books.books() if b.title == "The Time Machine"), None)
    book = book or session.books.books()[-1]
    session.reading.open_book(book.id)
    await until(lambda: session.reading.book_id == book.id)
    conversation = session.conversation
    conversation.ask(QUESTION)
    await until(lambda: not conversation.busy, 60)
    await photographer.take(opened, "07-answer-without-model")
    turn = conversation.transcript.turns[-1]
    if turn.cards:
        turn.choose_citation(1)
        await photographer.take(opened, "08-cited-passage")
    with scripted_endpoint() as server:
        server.script(models("qwen2.5-7b-instruct", "llama-3.2-3b"))
        endpoint = Endpoint("Local model", server.url, "qwen2.5-7b-instruct")
        await opened.background.write(opened.postil.add_endpoint, endpoint, None)
        passages = opened.postil.retriever.search(QUESTION, Scope.book(book.id))
        first, second = quotable(passages)[:2]
        server.script(
            stream(
                "He went down because his machine had been taken, and he came to think that "
                "the Morlocks had it. ",
                f"“{first}” [1] ",
                "\n\nHe had put it off at first, for he feared the dark and had few matches. ",
                f"“{second}” [2]",
            )
        )
        opened.postil.change_settings(
            opened.postil.settings.model_copy(update={"answer_endpoint": "Local model"})
        )
        await asyncio.sleep(0.3)
        conversation.begin_anew()
        await until(lambda: not conversation.transcript.turns)
        conversation.ask(QUESTION)
        await until(lambda: not conversation.busy, 60)
        await photographer.take(opened, "09-answer-with-model")
        turn = conversation.transcript.turns[-1]
        if turn.cards:
            turn.choose_citation(1)
            await photographer.take(opened, "10-cited-answer")


async def show_dialogs(opened: OpenedWindow, photographer: Photographer) -> None:
    """The endpoint dialog, the keys, and a book's details."""
    dialog = EndpointDialog(
        opened.postil,
        opened.background,
        opened.window,
        Endpoint("Mistral", "https://api.mistral.ai/v1", "mistral-small", 32768),
    )
    opened.background.spawn(photograph_dialog(photographer, dialog, "11-endpoint"))
    dialog.open()
    await asyncio.sleep(1.2)
    opened.window.actions_["shortcuts"].trigger()
    await asyncio.sleep(0.3)
    for child in opened.window.findChildren(type(dialog).__mro__[1]):
        if child.isVisible():
            child.grab().save(str(photographer.folder / f"12-{child.windowTitle()}.png"))
            child.close()


async def photograph_dialog(photographer: Photographer, dialog: EndpointDialog, name: str) -> None:
    """Take a picture of a dialog and close it."""
    await asyncio.sleep(0.6)
    dialog.grab().save(str(photographer.folder / f"{name}.png"))
    dialog.close()


async def take_all(home: Home, theme: Theme, folder: Path, books: Sequence[Path]) -> None:
    """Take every picture."""
    photographer = Photographer(folder)
    async with opened_window(home, theme) as opened:
        await show_first_start(opened, photographer)
        await show_ingest(opened, photographer, books)
        await show_reading(opened, photographer)
        await show_answers(opened, photographer)
        await show_dialogs(opened, photographer)
        opened.window.resize(840, 720)
        await photographer.take(opened, "13-narrow")
        opened.window.resize(1360, 860)
        opened.window.actions_["find"].trigger()
        await photographer.take(opened, "14-find")
        opened.window.actions_["contents"].trigger()
        await asyncio.sleep(0.3)
        for popup in opened.session.reading.findChildren(ContentsPopup):
            popup.grab().save(str(photographer.folder / "15-contents.png"))
            popup.close()
        for bar in opened.session.reading.findChildren(FindBar):
            bar.close_bar()
        theme.choose(ThemeChoice.DARK)
        await photographer.take(opened, "16-dark")
        opened.session.reading.show_span(opened.session.reading.book_id, Span(4000, 4200))
        await photographer.take(opened, "17-dark-passage")
        opened.session.reading.close_book()
        await photographer.take(opened, "18-dark-welcome")


def main() -> None:
    """Take every picture on a home that is thrown away."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("tests/output/screenshots")
    theme = Theme(make_application())
    with tempfile.TemporaryDirectory() as scratch, window_loop() as loop:
        books = novels(Path(scratch))
        loop.run_until_complete(take_all(Home(Path(scratch) / "home"), theme, folder, books))


if __name__ == "__main__":
    main()
