"""Takes pictures of the window with real books, in every look.

    python tests/screenshots.py [FOLDER [LOOK...]]

With POSTIL_CORPUS set it uses books of the corpus, else books made on the spot. The pictures go to
FOLDER (tests/output/screenshots unless told otherwise), in a folder for each look, and are there
to be looked at. A look is WIDTHxHEIGHT-THEME-SCALE, such as 900x600-dark-2.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Beside tests/app, `import app` would find that folder.
sys.path.insert(0, str(Path(__file__).parents[1]))

from PySide6.QtWidgets import QDialog, QWidget

from app.dialogs.endpoint_dialog import EndpointDialog
from app.embedding.work import ModelWork, Stage
from app.main import make_application
from app.reading.contents_popup import ContentsPopup
from app.reading.find_bar import FindBar
from app.theme import Theme
from core.books import BookStatus
from core.endpoints import Endpoint
from core.home import Home
from core.scope import Scope
from core.settings import Theme as ThemeChoice
from rag.passages import Passage
from support.endpoint import models, scripted_endpoint, stream
from support.ingest import write_novel
from support.window import OpenedWindow, opened_window, until, window_loop

INGEST_S = 400.0
LOOKS = (
    "1280x800-light-1",
    "1280x800-dark-1",
    "900x600-light-1",
    "900x600-dark-1",
    "1280x800-light-2",
)
SENTENCE = re.compile(r"(?<=[.!?] )[A-Z][^“”\"‘.!?]+[.!?]")
QUESTION = "Why did the Time Traveller go down the well to the Morlocks?"
BOOKS = (
    "epub/standardebooks/h-g-wells_the-time-machine.epub",
    "epub/standardebooks/jack-london_the-call-of-the-wild.epub",
    "epub/standardebooks/horace-walpole_the-castle-of-otranto.epub",
    "epub/idpf-epub3-samples/regime-anticancer-arabic.epub",
    "epub/idpf-epub3-samples/kusamakura-japanese-vertical-writing.epub",
)
LONG_TITLE = (
    "The Life and Strange Surprising Adventures of Robinson Crusoe, of York, Mariner, Who Lived "
    "Eight and Twenty Years All Alone in an Uninhabited Island on the Coast of America"
)


@dataclass(frozen=True)
class Look:
    """How the window is to look."""

    width: int
    height: int
    theme: ThemeChoice
    scale: str

    @classmethod
    def named(cls, name: str) -> Look:
        """Read a look's name."""
        size, theme, scale = name.split("-")
        width, height = size.split("x")
        return cls(int(width), int(height), ThemeChoice(theme), scale)


class Photographer:
    """Saves what the window shows."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    async def take(self, opened: OpenedWindow, name: str) -> None:
        """Wait a moment and take a picture."""
        await asyncio.sleep(0.4)
        self.keep(opened.window, name)

    def keep(self, widget: QWidget, name: str) -> None:
        """Take a picture of a widget."""
        widget.grab().save(str(self.folder / f"{name}.png"))


def books_to_show(folder: Path) -> Sequence[Path]:
    """Return the books of the library."""
    long = write_novel(folder / f"{LONG_TITLE}.txt", seed=9)
    corpus = os.environ.get("POSTIL_CORPUS")
    if corpus:
        return [*(Path(corpus) / name for name in BOOKS), long]
    return [*(write_novel(folder / f"novel{seed}.epub", seed=seed) for seed in range(5)), long]


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
    """A chapter of each kind of book."""
    session = opened.session
    opened.window.toast.dismiss()
    for number, book in enumerate(session.books.books()):
        session.reading.open_book(book.id)
        await until(lambda book=book: session.reading.book_id == book.id)
        opened.window.actions_["next_section"].trigger()
        await photographer.take(opened, f"05-reading-{number}")


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
        known = {one.name for one in opened.postil.library.endpoints.all()}
        if endpoint.name in known:
            opened.postil.library.endpoints.remove(endpoint.name)
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
    """Every dialog, and an endpoint half filled in."""
    endpoint = Endpoint("Mistral", "https://api.mistral.ai/v1", "mistral-small", 32768)
    EndpointDialog(opened.postil, opened.background, opened.window, endpoint).open()
    await photograph_dialogs(opened, photographer, "11-endpoint")
    opened.session.library.select_book(opened.session.books.books()[-1].id)
    for name in ("endpoints", "shortcuts", "embedding_model", "about", "book_details"):
        opened.window.actions_[name].trigger()
        await photograph_dialogs(opened, photographer, f"12-{name}")


async def photograph_dialogs(opened: OpenedWindow, photographer: Photographer, name: str) -> None:
    """Take a picture of the dialog that is open, and close it."""
    await asyncio.sleep(1.0)
    for dialog in opened.window.findChildren(QDialog):
        if dialog.isVisible():
            photographer.keep(dialog, name)
            dialog.close()


async def show_offers(opened: OpenedWindow, photographer: Photographer) -> None:
    """What the window offers and tells at its foot."""
    session = opened.session
    work = ModelWork("all-MiniLM-L6-v2", Stage.OFFERED, 84, is_choice=True)
    session.models.changed.emit(work)
    await photographer.take(opened, "20-model-offered")
    session.models.changed.emit(ModelWork("all-MiniLM-L6-v2", Stage.FETCHING, 84, True, 0.4))
    session.library.select_book(session.books.books()[-1].id)
    opened.window.actions_["remove_books"].trigger()
    await photographer.take(opened, "21-removed")
    opened.window.toast.tell("There are no EPUB or text files there.")
    await photographer.take(opened, "22-two-notes")
    opened.window.toast.dismiss()
    opened.window.actions_["undo_removal"].trigger()
    problem = "The model could not be downloaded (no matching distribution found). Try again."
    session.models.changed.emit(
        ModelWork("all-MiniLM-L6-v2", Stage.FAILED, 84, True, problem=problem)
    )
    await photographer.take(opened, "23-model-failed")
    session.models.changed.emit(None)


async def show_pages(opened: OpenedWindow, photographer: Photographer) -> None:
    """Finding, contents, an answer that is none, an endpoint that is not there, the drop veil."""
    reading, conversation = opened.session.reading, opened.session.conversation
    opened.window.actions_["find"].trigger()
    await photographer.take(opened, "14-find")
    for bar in reading.findChildren(FindBar):
        bar.close_bar()
    opened.window.actions_["contents"].trigger()
    await asyncio.sleep(0.3)
    for popup in reading.findChildren(ContentsPopup):
        photographer.keep(popup, "15-contents")
        popup.close()
    conversation.begin_anew()
    await until(lambda: not conversation.transcript.turns)
    conversation.ask("What is the price of tulips in Amsterdam?")
    await until(lambda: not conversation.busy, 60)
    await photographer.take(opened, "16-failed-endpoint")
    opened.postil.change_settings(
        opened.postil.settings.model_copy(update={"answer_endpoint": None})
    )
    conversation.ask("What is the price of tulips in Amsterdam?")
    await until(lambda: not conversation.busy, 60)
    await photographer.take(opened, "17-not-found")
    reading.close_book()
    await photographer.take(opened, "18-welcome")
    opened.window.show_drop_veil(True)
    await photographer.take(opened, "19-drop")
    opened.window.show_drop_veil(False)


async def fill(home: Home, theme: Theme, folder: Path, books: Sequence[Path]) -> None:
    """Show the first start and the ingest, and leave a library for the looks."""
    photographer = Photographer(folder / "first-start")
    async with opened_window(home, theme) as opened:
        opened.window.resize(1280, 800)
        await show_first_start(opened, photographer)
        await show_ingest(opened, photographer, books)


async def take_look(home: Home, theme: Theme, folder: Path, name: str) -> None:
    """Take every picture of one look."""
    look = Look.named(name)
    photographer = Photographer(folder / name)
    async with opened_window(home, theme) as opened:
        theme.choose(look.theme)
        opened.window.resize(look.width, look.height)
        await until(opened.session.books.books)
        await asyncio.sleep(1)  # what is to be embedded anew is queued by then
        await until(lambda: opened.session.jobs.summary.active == 0, INGEST_S)
        await show_reading(opened, photographer)
        await show_answers(opened, photographer)
        await show_dialogs(opened, photographer)
        await show_pages(opened, photographer)
        await show_offers(opened, photographer)


def main() -> None:
    """Fill a home that is thrown away, then take each look in a process of its own."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("tests/output/screenshots")
    with tempfile.TemporaryDirectory() as scratch:
        kept = os.environ.get("POSTIL_HOME")
        home = Home(Path(kept) if kept else Path(scratch) / "home")
        one_look = os.environ.get("POSTIL_LOOK")
        theme = Theme(make_application())
        with window_loop() as loop:
            if one_look:
                loop.run_until_complete(take_look(home, theme, folder, one_look))
                return
            if not home.database.exists():
                books = books_to_show(Path(scratch))
                loop.run_until_complete(fill(home, theme, folder, books))
        for name in sys.argv[2:] or LOOKS:
            environment = os.environ | {
                "POSTIL_HOME": str(home.root),
                "POSTIL_LOOK": name,
                "QT_SCALE_FACTOR": Look.named(name).scale,
            }
            command = [sys.executable, __file__, str(folder)]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
