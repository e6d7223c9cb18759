"""The ingest worker: a process that parses, chunks and embeds for its parent.

It is spawned by `rag.ingest.worker_process`, runs at low priority and writes nothing to the
library, so that a hostile file can harm this process only. It ends when its parent does.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, TypeVar

from core.errors import DamagedBookError, EmbeddingError, OversizedBookError, PostilError
from core.ports import TextSummary
from core.text import ParsedBook, place_blocks
from rag.chunking.chunker import ChunkedBook, chunk_book
from rag.ingest.messages import (
    MAX_PART_ITEMS,
    BookParsed,
    EmbedPassages,
    Failed,
    LoadModel,
    Logged,
    ModelLoaded,
    ModelLoading,
    PassagesEmbedded,
    ReadBook,
    Reply,
    Request,
    TextBegan,
    TextEnded,
    TextPart,
)
from rag.parsing.formats import parse_book

if TYPE_CHECKING:
    from rag.embedding import EmbeddingEngine

# A reader waits for words, and not for meaning: embedding gives way to reading, and both to others.
_NICENESS = 5  # added to the parent's, and again for embedding
_LOADING_LOOK_S = 0.2
_Item = TypeVar("_Item")

log = logging.getLogger(__name__)


def run_worker(connection: Connection) -> None:
    """Answer the parent's requests until it closes its end of `connection`, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent
    _silence()
    _lower_priority()
    channel = _Channel(connection)
    logging.getLogger().addHandler(_LogToParent(channel))
    worker = _Worker(channel)
    while True:
        worker.answer(channel.next_request())


class _Channel:
    """The pipe to the parent. Requests are read by a thread of their own.

    So the parent never waits for a busy worker to take a request, and its end is noticed at once.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                self._requests.put(self._connection.recv())
            except (EOFError, OSError):
                os._exit(0)

    def next_request(self) -> Request:
        return self._requests.get()

    def send(self, reply: Reply) -> None:
        with self._sending:
            try:
                self._connection.send(reply)
            except OSError:
                os._exit(0)


class _LogToParent(logging.Handler):
    """Hands log records to the parent, which alone writes the log."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__(logging.INFO)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(Logged(record.name, record.levelno, self.format(record)))


class _Worker:
    """Answers one request after the other."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel
        self._engine: EmbeddingEngine | None = None
        self._loading: Future[EmbeddingEngine] | None = None
        self._embedding = ThreadPoolExecutor(1, "model", initializer=_give_way)

    def answer(self, request: Request) -> None:
        """Send all replies to a request; an error becomes the last of them."""
        try:
            match request:
                case ReadBook():
                    self._read_book(request)
                case LoadModel():
                    self._load_model(request)
                case EmbedPassages():
                    self._embed(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            self._channel.send(_failure(error))

    def _read_book(self, request: ReadBook) -> None:
        parsed = parse_book(request.path, name=request.name)
        self._channel.send(BookParsed())
        for reply in _text_replies(parsed, chunk_book(parsed)):
            self._channel.send(reply)

    def _load_model(self, request: LoadModel) -> None:
        """Load on a thread: a book that is dropped meanwhile is read first."""
        if self._loading is None:
            self._loading = self._embedding.submit(_open_engine, request)
        if not wait([self._loading], timeout=_LOADING_LOOK_S).done:
            self._channel.send(ModelLoading())
            return
        loading, self._loading = self._loading, None
        self._engine = loading.result()
        self._channel.send(ModelLoaded())

    def _embed(self, request: EmbedPassages) -> None:
        if self._engine is None:
            raise EmbeddingError("No embedding model is loaded.")
        vectors = self._embedding.submit(self._engine.embed_passages, request.texts).result()
        self._channel.send(PassagesEmbedded(vectors.astype("<f2").tobytes()))


def _open_engine(request: LoadModel) -> EmbeddingEngine:
    from rag.embedding import open_embedder

    engine = open_embedder(request.name, request.model_cache)
    engine.warm_up()
    return engine


def _text_replies(parsed: ParsedBook, chunked: ChunkedBook) -> Iterator[Reply]:
    blocks = place_blocks(parsed.blocks)
    summary = TextSummary(
        metadata=parsed.metadata,
        format=parsed.format,
        parser_version=parsed.parser_version,
        chapters=parsed.chapters,
        character_count=blocks[-1].end if blocks else 0,
        block_count=len(blocks),
        parent_count=len(chunked.parents),
        chunk_count=len(chunked.chunks),
        chunk_character_count=chunked.chunk_character_count,
        encoding=parsed.encoding,
        warnings=parsed.warnings,
    )
    yield TextBegan(summary, parsed.cover)
    for some_blocks in _parts(blocks):
        yield TextPart(blocks=some_blocks)
    for parents in _parts(chunked.parents):
        yield TextPart(parents=parents)
    for chunks in _parts(chunked.chunks):
        yield TextPart(chunks=chunks)
    yield TextEnded()


def _parts(items: Sequence[_Item]) -> Iterator[tuple[_Item, ...]]:
    for start in range(0, len(items), MAX_PART_ITEMS):
        yield tuple(items[start : start + MAX_PART_ITEMS])


def _failure(error: Exception) -> Failed:
    if isinstance(error, PostilError):
        return Failed(type(error).__name__, str(error))
    log.error("the worker met an unexpected error\n%s", "".join(traceback.format_exception(error)))
    if isinstance(error, MemoryError):
        return Failed(OversizedBookError.__name__, "This book needs more memory than there is.")
    return Failed(
        DamagedBookError.__name__,
        f"Postil met something in this file that it cannot read ({type(error).__name__}).",
    )


def _silence() -> None:
    """Send what libraries print to nowhere: the parent's terminal is not ours."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _lower_priority() -> None:
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICENESS)


def _give_way() -> None:
    """Lower the calling thread further, where threads have a niceness: they hand it down."""
    if sys.platform == "linux":
        os.nice(_NICENESS)
