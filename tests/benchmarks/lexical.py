"""Word search over 100,000 chunks of real books: CPU time of a query, and of storing and removing.

    POSTIL_CORPUS=... python tests/benchmarks/lexical.py [--chunks 100000] [--profile]

Chunks are cut from the corpus' English books at about 300 characters, parents at about 1,200, and
the books repeat until there are enough. Questions are those of eval/fairytale, asked of the whole
library and of one book.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from core.books import BookId, Chunk, ParentChunk
from core.home import Home
from core.persistence.library import Library, open_library
from core.ports import TextSummary
from core.scope import Scope
from core.search_text import query_terms, search_text
from core.text import Block, BlockKind, BookMetadata, Span, fold_text, place_blocks

_CHUNKS_PER_PARENT = 4
_CHUNK_CHARACTERS = 300
_BATCH = 500
_TOP = 50


def main() -> None:
    """Build the library, time the questions, print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--chunks", type=int, default=100_000)
    options = arguments.parse_args()
    corpus = Path(os.environ["POSTIL_CORPUS"])
    with tempfile.TemporaryDirectory() as folder:
        library = open_library(Home(Path(folder)))
        started, started_cpu = time.perf_counter(), time.process_time()
        book_ids, characters = build(library, corpus, options.chunks)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        print(
            f"stored {len(book_ids)} books, {characters:,} characters in {wall_s:.1f} s "
            f"({characters / wall_s:,.0f} characters/s, {cpu_s:.1f} s CPU), {size / 1e6:.0f} MB"
        )
        questions = fairytale_questions(corpus)
        middle = book_ids[len(book_ids) // 2]
        scopes = {
            "library": Scope.library(),
            "one book": Scope.book(middle),
            "half a book": Scope.book(middle, up_to=library.books.get(middle).character_count // 2),
        }
        for name, scope in scopes.items():
            for level in ("chunk", "parent"):
                report(f"{name}, {level}s", time_questions(library, questions, scope, level))
        report(
            "stop words too, chunks",
            time_questions(
                library, questions, Scope.library(), "chunk", lambda q: search_text(q, "en").split()
            ),
        )
        largest = max(book_ids, key=lambda id_: library.books.get(id_).chunk_count)
        started = time.perf_counter()
        removed = library.books.remove(largest)
        took_s = time.perf_counter() - started
        print(f"removed a book of {removed.chunk_count} chunks in {took_s:.2f} s")
        library.close()


def english_texts(corpus: Path) -> Iterator[str]:
    """Yield the text of the corpus' English books, roughly: mark-up is just cut out."""
    for path in sorted((corpus / "txt/en").glob("*.txt")):
        yield path.read_bytes().decode("utf-8", errors="replace")
    for path in sorted((corpus / "epub/standardebooks").rglob("*.epub")):
        with zipfile.ZipFile(path) as archive:
            pages = [name for name in archive.namelist() if name.endswith(".xhtml")]
            yield "\n".join(
                re.sub(r"<[^>]+>", " ", archive.read(page).decode("utf-8", errors="replace"))
                for page in pages
            )


def build(library: Library, corpus: Path, chunk_count: int) -> tuple[list[BookId], int]:
    """Fill the library; return its books and how many characters they hold."""
    texts = [fold_text(text) for text in english_texts(corpus)]
    book_ids: list[BookId] = []
    characters = stored = 0
    while stored < chunk_count:
        text = texts[len(book_ids) % len(texts)][: (chunk_count - stored) * _CHUNK_CHARACTERS]
        book_id, count = store(library, f"book {len(book_ids)}", text)
        book_ids.append(book_id)
        characters += len(text)
        stored += count
    return book_ids, characters


def store(library: Library, name: str, text: str) -> tuple[BookId, int]:
    """Store one book; return its id and its number of chunks."""
    step = _CHUNK_CHARACTERS
    parent_step = step * _CHUNKS_PER_PARENT
    spans = [Span(at, min(at + step, len(text))) for at in range(0, len(text), step)]
    parents = [
        ParentChunk(
            ordinal,
            Span(at, min(at + parent_step, len(text))),
            search_text(text[at : at + parent_step], "en"),
            search_text(name, "en"),
        )
        for ordinal, at in enumerate(range(0, len(text), parent_step))
    ]
    chunks = [
        Chunk(
            ordinal,
            span,
            ordinal // _CHUNKS_PER_PARENT,
            search_text(text[span.start : span.end], "en"),
        )
        for ordinal, span in enumerate(spans)
    ]
    blocks = place_blocks([Block(BlockKind.PARAGRAPH, text, "0")])
    book, _ = library.books.add(name, f"{name}.txt", name, "txt")
    summary = TextSummary(
        BookMetadata(name, language="en"),
        "txt",
        "benchmark/1",
        (),
        len(text),
        len(blocks),
        len(parents),
        len(chunks),
        len(text),
    )
    library.books.begin_text(book.id, summary)
    library.books.append_blocks(book.id, blocks)
    for at in range(0, len(parents), _BATCH):
        library.books.append_parents(book.id, parents[at : at + _BATCH])
    for at in range(0, len(chunks), _BATCH):
        library.books.append_chunks(book.id, chunks[at : at + _BATCH])
    library.books.finish_text(book.id)
    return book.id, len(chunks)


def fairytale_questions(corpus: Path) -> list[str]:
    """Return the questions of the retrieval set."""
    rows = (corpus / "eval/fairytale/fairytale_15books.jsonl").read_text().splitlines()
    return [json.loads(row)["question"] for row in rows]


def time_questions(
    library: Library,
    questions: list[str],
    scope: Scope,
    level: str,
    terms_of: Callable[[str], list[str]] = lambda question: query_terms(question, "en"),
) -> list[float]:
    """Return the CPU time of each question in ms, its terms and its scope included."""
    times_ms = []
    for question in questions:
        started = time.process_time()
        resolved = library.books.resolve(scope)
        ranges = resolved.chunks if level == "chunk" else resolved.parents
        library.lexical.search(terms_of(question), ranges, _TOP, level)
        times_ms.append((time.process_time() - started) * 1000)
    return times_ms


def report(name: str, times_ms: list[float]) -> None:
    """Print the distribution of some times."""
    cuts = statistics.quantiles(times_ms, n=100)
    print(
        f"{name:24} CPU ms: mean {statistics.fmean(times_ms):6.2f}  p50 {cuts[49]:6.2f}  "
        f"p95 {cuts[94]:6.2f}  max {max(times_ms):6.2f}"
    )


if __name__ == "__main__":
    main()
