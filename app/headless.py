"""The main job without a window: add the user guide, ask it a question, print the answer."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing

from app.cli.terminal import DONE, FAILED, NOTHING_FOUND, printable, say, write_utf8
from app.composition import Postil, open_postil
from app.guide import guide_path
from core.books import BookId
from core.errors import PostilError
from core.home import Home
from core.jobs import JobState
from core.logs import start_logging
from core.scope import Scope
from rag.answers.events import Answer, AnswerFinished

QUESTION = "How does Postil make sure that a quote really stands in the book?"


def run_headless(home: Home) -> int:
    """Show Postil at work in the terminal, reading nothing from standard input.

    The guide goes into the reader's own library, as it does from the window; there already, it is
    not added again.

    Returns:
        The exit code: 0 answered, 1 the guide could not be added, 3 nothing found.
    """
    postil = open_postil(home)
    try:
        return asyncio.run(_show(postil))
    finally:
        postil.close()


async def _show(postil: Postil) -> int:
    say(f"there is no display; showing Postil in the terminal. Home: {postil.home.root}")
    book_id = await _add_guide(postil)
    if book_id is None:
        return FAILED
    answer = await _ask(postil, book_id)
    write_utf8(_answer_text(answer))
    return DONE if answer.answered else NOTHING_FOUND


async def _add_guide(postil: Postil) -> BookId | None:
    """Add the guide and return its id; None, and the reason told, where that failed."""
    say("adding the user guide ...")
    await postil.ingest.start()
    try:
        (job,) = await postil.ingest.wait(await postil.ingest.add([guide_path(postil.home)]))
    finally:
        await postil.ingest.close()
    if job.state is JobState.DONE:
        return job.book_id
    say(job.error or "the user guide could not be added.")
    return None


async def _ask(postil: Postil, book_id: BookId) -> Answer:
    """Ask the guide; no model takes part, so nothing leaves this computer."""
    answer: Answer | None = None
    scope = Scope.book(book_id)
    async with aclosing(postil.answerer.answer(QUESTION, scope, model=None)) as events:
        async for event in events:
            if isinstance(event, AnswerFinished):
                answer = event.answer
    assert answer is not None, "every answer ends in one AnswerFinished or an error"
    return answer


def _answer_text(answer: Answer) -> str:
    quotes = [
        f"[{citation.number}] {citation.chapter}\n    “{citation.quote}”\n"
        for citation in answer.citations
    ]
    return printable("\n".join([f"Question: {QUESTION}\n", *quotes]))


def main() -> int:
    """Run on the reader's home and return the exit code."""
    try:
        home = Home.locate()
        home.prepare()
        start_logging(home)
        return run_headless(home)
    except PostilError as error:
        say(str(error))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
