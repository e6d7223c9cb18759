"""CPU time of hybrid search over 100,000 chunks: in the whole library and inside one book.

    POSTIL_CORPUS=DIR python tests/benchmarks/search_latency.py --home DIR

The library at `--home` is filled once with English books of the corpus until it holds 100,000
chunks, by the real pipeline; that takes some ten minutes and is kept for the next run. Searches
then run warm. Beside the times stands the recall of a scoped search against an exact search of the
scope's stored embeddings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from app.composition import Postil, open_postil
from core.books import Book
from core.home import Home
from core.scope import Scope
from rag.passages import SearchMode

TARGET_CHUNKS = 100_000
QUERY_COUNT = 200
SOURCES = (
    "epub/idpf-epub3-samples/mahabharata.epub",
    "epub/standardebooks/*.epub",
    "epub/idpf-epub3-samples/moby-dick.epub",
    "txt/en/*.txt",
    "eval/fairytale/books/*.txt",
)


def main() -> None:
    """Fill the library if need be, then time searches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the library is kept")
    home = Home.locate(parser.parse_args().home)
    corpus = Path(os.environ["POSTIL_CORPUS"])
    postil = open_postil(home)
    try:
        asyncio.run(fill(postil, [path for glob in SOURCES for path in sorted(corpus.glob(glob))]))
        measure(postil, questions(corpus))
    finally:
        postil.close()


def questions(corpus: Path) -> list[str]:
    """Take questions of readers of children's books: many common words, some rare."""
    rows = (corpus / "eval" / "fairytale" / "fairytale_15books.jsonl").read_text("utf-8")
    return [json.loads(line)["question"] for line in rows.splitlines()][:QUERY_COUNT]


async def fill(postil: Postil, paths: list[Path]) -> None:
    """Add books until there are enough chunks."""
    await postil.ingest.start()
    try:
        for path in paths:
            if chunk_count(postil) >= TARGET_CHUNKS:
                return
            await postil.ingest.wait(await postil.ingest.add([path]))
            print(f"{chunk_count(postil):>7} chunks after {path.name}", flush=True)
    finally:
        await postil.ingest.close()


def chunk_count(postil: Postil) -> int:
    """Count the library's chunks."""
    return sum(book.chunk_count for book in postil.library.books.all())


def measure(postil: Postil, queries: list[str]) -> None:
    """Print CPU times and scoped recall."""
    books = [book for book in postil.library.books.all() if book.chunk_count]
    print(f"{chunk_count(postil)} chunks in {len(books)} books, {len(queries)} questions")
    postil.retriever.search("warm up", Scope.library())
    scopes = [Scope.book(book.id) for book in islice(cycle(books), len(queries))]
    print(f"{'CPU ms':30}{'p50':>8}{'p95':>8}{'max':>8}")
    for mode in (SearchMode.HYBRID, SearchMode.WORDS, SearchMode.MEANING):
        row(
            f"whole library, {mode}", queries, lambda i, m=mode: search(postil, queries[i], None, m)
        )
        row(
            f"one book, {mode}", queries, lambda i, m=mode: search(postil, queries[i], scopes[i], m)
        )
    print(f"recall@10 of meaning inside one book: {recall(postil, books, queries):.4f}")


def search(postil: Postil, query: str, scope: Scope | None, mode: SearchMode) -> None:
    """Search once."""
    postil.retriever.search(query, scope or Scope.library(), k=10, mode=mode)


def row(name: str, queries: list[str], work: Callable[[int], None]) -> None:
    """Print a line of CPU times of the whole process, worker threads included."""
    times_ms = []
    for index in range(len(queries)):
        began = time.process_time()
        work(index)
        times_ms.append(1000 * (time.process_time() - began))
    p95 = statistics.quantiles(times_ms, n=20)[-1]
    print(
        f"{name:30}{statistics.median(times_ms):>8.1f}{p95:>8.1f}{max(times_ms):>8.1f}", flush=True
    )


def recall(postil: Postil, books: list[Book], queries: list[str]) -> float:
    """Compare the index inside a scope with an exact search of the stored embeddings."""
    ids, rows = [], []
    for vectors in postil.library.embeddings.read(postil.fingerprint):
        ids.append(np.array(vectors.ids))
        rows.append(np.frombuffer(vectors.rows, "<f2").reshape(len(vectors.ids), -1))
    all_ids, matrix = np.concatenate(ids), np.concatenate(rows).astype(np.float32)
    shares = []
    for query, book in zip(queries, cycle(books), strict=False):
        scope = postil.library.books.resolve(Scope.book(book.id)).chunks
        assert scope is not None
        vector = postil.embedder.embed_query(query)
        inside = (all_ids >= scope[0].first) & (all_ids <= scope[-1].last)
        exact = all_ids[inside][np.argsort(-(matrix[inside] @ vector), kind="stable")[:10]]
        found = [hit.chunk_id for hit in postil.vectors.current().search(vector, 10, scope)]
        shares.append(len(set(exact.tolist()) & set(found)) / max(len(exact), 1))
    return statistics.mean(shares)


if __name__ == "__main__":
    main()
