"""Recall and time of the vector stores on real embeddings.

    POSTIL_CORPUS=DIR python tests/benchmarks/vectors.py [--chunks 100000]

The chunks are those of the English books of the corpus, embedded by the bundled model; the
embeddings are kept in the system's temporary folder, so that only the first run is long. Queries
are FairytaleQA's questions. Recall@10 is against a search in single precision over the same rows.
Times are of the processor, in milliseconds; run on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from core.books import IdRange
from core.home import model_cache_dir
from rag.chunking.chunker import chunk_book
from rag.embedding import DEFAULT_MODEL, open_embedder
from rag.parsing.formats import parse_book
from rag.ports import Float16Array, Float32Array
from rag.vectors import ExactVectorStore, UsearchVectorStore
from rag.vectors.index_files import IndexFiles

SOURCES = ("txt/en/*.txt", "epub/standardebooks/*.epub", "eval/fairytale/books/*.txt")
QUERY_COUNT = 200
HITS = 10
BOOK_CHUNKS = (200, 2_000, 10_000)
BATCH = 512


def main() -> None:
    """Print the time to build and save, then one line for each kind of search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    count = parser.parse_args().chunks
    corpus = Path(os.environ["POSTIL_CORPUS"])
    vectors, queries = embeddings(corpus, count)
    say(f"{len(vectors):,} chunks, {len(queries)} queries")

    exact = ExactVectorStore(vectors.shape[1])
    ids = np.arange(len(vectors), dtype=np.int64)
    exact.add(ids, vectors)
    with tempfile.TemporaryDirectory() as folder:
        graph = UsearchVectorStore(vectors.shape[1], IndexFiles(Path(folder), "key"), exact_below=0)
        build(graph, vectors)
        save_and_open(graph, Path(folder))
    say(f"\n{'search':34} {'p50 ms':>8} {'p95 ms':>8} {'recall@10':>10}")
    search("library, exact", exact, queries, vectors, None)
    search("library, graph", graph, queries, vectors, None)
    for size in (size for size in BOOK_CHUNKS if size < len(vectors)):
        start = (len(vectors) - size) // 2
        book = [IdRange(start, start + size - 1)]
        search(f"one book of {size:,}", graph, queries, vectors, book)
    half = [IdRange(start, start + 999) for start in range(0, len(vectors), 2000)]
    search(f"{len(half)} books of 1,000", graph, queries, vectors, half)


def build(store: UsearchVectorStore, vectors: Float16Array) -> None:
    """Add all, and make the graph."""
    memory = psutil.Process()
    before, cpu = memory.memory_info().rss, time.process_time()
    for start in range(0, len(vectors), BATCH):
        rows = vectors[start : start + BATCH]
        store.add(np.arange(start, start + len(rows), dtype=np.int64), rows)
    added, cpu = time.process_time() - cpu, time.process_time()
    while store.index_pending():
        pass
    made = time.process_time() - cpu
    megabytes = (memory.memory_info().rss - before) / 1e6
    say(f"adding {added:.2f} s, graph {made:.1f} s of processor time; {megabytes:.0f} MB")


def save_and_open(store: UsearchVectorStore, folder: Path) -> None:
    """Save to disk and open again."""
    clock = time.perf_counter()
    store.save(1)
    saved, clock = time.perf_counter() - clock, time.perf_counter()
    again = UsearchVectorStore(store.row(0).shape[0], IndexFiles(folder, "key"))
    assert again.load() == 1
    opened = time.perf_counter() - clock
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    say(f"saving {saved:.2f} s, opening {opened:.2f} s, {size:.0f} MB on disk")
    again.close()


def search(
    name: str,
    store: ExactVectorStore,
    queries: Float32Array,
    vectors: Float16Array,
    ranges: Sequence[IdRange] | None,
) -> None:
    """Print times and recall of one kind of search."""
    found: list[set[int]] = []
    times = []
    store.search(queries[0], HITS, ranges)
    for query in queries:
        cpu = time.process_time()
        hits = store.search(query, HITS, ranges)
        times.append((time.process_time() - cpu) * 1e3)
        found.append({hit.chunk_id for hit in hits})
    inside = (
        np.arange(len(vectors))
        if ranges is None
        else np.concatenate([np.arange(r.first, min(r.last + 1, len(vectors))) for r in ranges])
    )
    rows = vectors[inside].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    recall = np.mean(
        [
            len(hits & set(inside[np.argpartition(-(rows @ query), HITS)[:HITS]].tolist())) / HITS
            for query, hits in zip(queries, found, strict=True)
        ]
    )
    p50, p95 = np.percentile(times, [50, 95])
    say(f"{name:34} {p50:8.2f} {p95:8.2f} {recall:10.4f}")


def embeddings(corpus: Path, count: int) -> tuple[Float16Array, Float32Array]:
    """Return the vectors of chunks and of questions, made once and kept."""
    kept = Path(tempfile.gettempdir()) / "postil-benchmark-vectors.npz"
    engine = open_embedder(DEFAULT_MODEL, model_cache_dir())
    revision = engine.fingerprint.revision
    try:
        if kept.exists():
            with np.load(kept) as arrays:
                vectors = arrays["vectors"]
                if str(arrays["revision"]) == revision and len(vectors) >= count:
                    return vectors[:count], arrays["queries"]
        texts = chunk_texts(corpus, count)
        vectors = np.concatenate(
            list(progress(texts, lambda part: engine.embed_passages(part).astype(np.float16)))
        )
        queries = engine.embed_passages(questions(corpus))
    finally:
        engine.close()
    np.savez(kept, vectors=vectors, queries=queries, revision=np.array(revision))
    return vectors, queries


def progress(
    texts: Sequence[str], embed: Callable[[Sequence[str]], Float16Array]
) -> Sequence[Float16Array]:
    """Embed in parts, telling how far it has come."""
    parts = []
    for start in range(0, len(texts), 10 * BATCH):
        parts.append(embed(texts[start : start + 10 * BATCH]))
        say(f"embedded {start + len(parts[-1]):,} of {len(texts):,}")
    return parts


def chunk_texts(corpus: Path, count: int) -> list[str]:
    """Return the first chunks of the corpus's English books."""
    texts: list[str] = []
    for source in SOURCES:
        for path in sorted(corpus.glob(source)):
            parsed = parse_book(path, name=path.name)
            text = parsed.text
            spans = [chunk.span for chunk in chunk_book(parsed).chunks]
            texts += [text[span.start : span.end] for span in spans]
            if len(texts) >= count:
                return texts[:count]
    return texts


def questions(corpus: Path) -> list[str]:
    """Return questions that readers asked."""
    path = corpus / "eval" / "fairytale" / "fairytale_15books.jsonl"
    rows = path.read_text("utf-8").splitlines()
    return [json.loads(row)["question"] for row in rows[:QUERY_COUNT]]


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
