"""Answers that the database gives exactly: counts, contents and length."""

from __future__ import annotations

from core.books import Book, BookId
from core.ports import BookStore
from core.scope import Scope
from core.text import Span
from rag.answers.counting import Mentions, count_mentions
from rag.answers.events import AnswerEvent, PassagesFound
from rag.answers.language import question_language
from rag.answers.ports import BookLibrary
from rag.answers.prompt import fill, prompt_file
from rag.answers.quotes import Located
from rag.answers.request import Request, main_language
from rag.answers.route import ExactPhrases, Route, RouteKind, exact_phrases, route
from rag.answers.shelf import Shelf
from rag.answers.trace import TraceRecorder
from rag.answers.wording import plain, where
from rag.answers.writer import Writer
from rag.chunking.sentences import sentence_spans

MAX_LISTED = 200
"""Chapters of one book that an answer lists; the table of contents has them all."""
CHARACTERS_A_PAGE = 1800
"""A standard page: 30 lines of 60 characters."""
WORDS_AN_HOUR = 14_000
"""Silent reading of English, about 238 words a minute (Brysbaert 2019)."""
CJK_CHARACTERS_AN_HOUR = 15_600
"""Chinese, about 260 characters a minute (the same)."""


def answer_exactly(library: BookLibrary, question: str, scope: Scope) -> list[AnswerEvent] | None:
    """Answer a question for a count, the contents or the length; None for any other. May block.

    Raises:
        NotFoundError: the scope names a book that is not there.
    """
    trace = TraceRecorder()
    shelf = Shelf(library.books, scope)
    with trace.stage("route") as seen:
        language = question_language(question, main_language(shelf))
        found = route(question, language)
        seen["route"] = "open" if found is None else found.kind.value
    if found is None or not shelf.books:
        return None
    request = Request(question, language, prompt_file(language), shelf, (), (), trace)
    writer = Writer(shelf.chapter_at)
    with trace.stage(found.kind.value) as seen:
        answered = _write(found, request, library.books, writer, seen)
    events = writer.take()
    finished = request.finished(events, writer, answered=answered, model_name=None)
    return [PassagesFound(()), *events, finished]


def _write(
    found: Route, request: Request, books: BookStore, writer: Writer, seen: dict[str, object]
) -> bool:
    phrases = exact_phrases(request.language)
    if found.kind is RouteKind.COUNT:
        mentions = count_mentions(request.shelf, found.what)
        seen["what"] = found.what
        seen["counts"] = {str(one.book_id): len(one.places) for one in mentions}
        _write_count(found.what, mentions, phrases, request, books, writer)
        return bool(mentions)
    for book in request.shelf.books.values():
        writer.space("\n\n")
        if found.kind is RouteKind.CONTENTS:
            _write_contents(book, phrases, request.shelf, writer)
        else:
            _write_length(book, phrases, books, writer)
    return True


def _write_count(
    what: str,
    mentions: list[Mentions],
    phrases: ExactPhrases,
    request: Request,
    books: BookStore,
    writer: Writer,
) -> None:
    """Write the sum, each book's share where there are several, and the first and last mention."""
    count = sum(len(one.places) for one in mentions)
    template = phrases.counted if count > 1 else phrases.counted_once
    writer.word(
        fill(
            template if count else phrases.counted_never,
            what=plain(what),
            count=count,
            where=where(request.prompts, request.shelf),
        )
    )
    if len(mentions) > 1:
        for one in sorted(mentions, key=lambda one: -len(one.places)):
            writer.space("\n")
            writer.word(f"{plain(request.shelf.title(one.book_id))}: {len(one.places)}")
    if len(mentions) == 1:
        book_id, places = mentions[0].book_id, mentions[0].places
        shown = [(phrases.first, places[0])]
        shown += [(phrases.last, places[-1])] if len(places) > 1 else []
        for words, place in shown:
            writer.space("\n\n")
            writer.word(words)
            writer.space(" ")
            writer.quote(_sentence_at(books, request.shelf, book_id, place))


def _sentence_at(books: BookStore, shelf: Shelf, book_id: BookId, place: Span) -> Located:
    """Return the sentence that holds a place; the place alone where that ends beyond the scope."""
    for placed in books.blocks(book_id, place):
        for span in sentence_spans(placed.block.text, shelf.language(book_id)):
            sentence = Span(placed.start + span.start, placed.start + span.end)
            if sentence.contains(place) and sentence.end <= shelf.end(book_id):
                text = placed.block.text[span.start : span.end]
                return Located(book_id, sentence, text, source=0)
    return Located(book_id, place, shelf.text(book_id, place.start, place.end)[1], source=0)


def _write_contents(book: Book, phrases: ExactPhrases, shelf: Shelf, writer: Writer) -> None:
    """List the chapters that begin within the scope."""
    end = shelf.end(book.id)
    chapters = [one for one in shelf.chapters(book.id) if one.start < end]
    named = plain(book.title)
    if not chapters:
        writer.word(fill(phrases.no_contents, where=named))
        return
    whole = end >= book.character_count
    template = phrases.contents_of if whole else phrases.contents_so_far
    writer.word(fill(template, where=named, count=len(chapters)))
    for chapter in chapters[:MAX_LISTED]:
        writer.space("\n")
        writer.word("\u2003" * (chapter.level - 1) + (plain(chapter.title) or "…"))
    if len(chapters) > MAX_LISTED:
        writer.space("\n")
        writer.word(fill(phrases.more, count=len(chapters) - MAX_LISTED))


def _write_length(book: Book, phrases: ExactPhrases, books: BookStore, writer: Writer) -> None:
    """Tell the length of the whole book, which gives nothing of it away."""
    text = books.text(book.id)
    cjk = book.metadata.language.partition("-")[0] in ("zh", "ja")
    words = len(text) if cjk else len(text.split())
    hours = words / (CJK_CHARACTERS_AN_HOUR if cjk else WORDS_AN_HOUR)
    writer.word(
        fill(
            phrases.length_of,
            where=plain(book.title),
            words=f"{words:,}",
            characters=f"{book.character_count:,}",
            pages=max(1, round(book.character_count / (CHARACTERS_A_PAGE / (2 if cjk else 1)))),
            hours=f"{max(hours, 0.1):.1f}",
        )
    )
