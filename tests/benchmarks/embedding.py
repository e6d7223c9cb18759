"""Embedding speed and memory against fastembed's defaults, and what int8 costs retrieval.

    POSTIL_CORPUS=DIR python tests/benchmarks/embedding.py [--scale 1.0]

Each row of the first table is a process of its own. The peer is fastembed as it comes (batches of
256 in the order they arrive, onnxruntime's own threads) with the same float32 ONNX model. "Even"
texts are the chunks that Postil embeds; "mixed" ones are the paragraphs of a novel as they stand.
Both are cut to what fits in a minute or two; `--scale` changes by how much. Speeds are characters
per second of wall time, and of processor time over all cores, which is steadier on a busy machine.

The second table is the share of FairytaleQA questions whose evidence a chunk among the first k
overlaps, searched by meaning only within the book.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from core.home import model_cache_dir
from core.text import Span, fold_text
from rag.chunking.chunker import chunk_book
from rag.embedding import DEFAULT_MODEL, open_embedder, prepare
from rag.parsing.formats import parse_book
from rag.ports import Float32Array

FLOAT32_MODEL = "all-MiniLM-L6-v2-fp32"
NOVEL = Path("epub") / "standardebooks"
EVEN_CHARACTERS = 100_000
MIXED_CHARACTERS = 100_000
RETRIEVAL_BOOKS = 6
DEPTHS = (1, 5, 10)

Embed = Callable[[list[str]], Float32Array]


def main() -> None:
    """Run all, or one row of the first table where its process asks for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how much text, 1.0 is normal")
    parser.add_argument("--row", nargs=2, metavar=("ENGINE", "TEXTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    corpus = Path(os.environ["POSTIL_CORPUS"])
    if arguments.row:
        sys.stdout.write(json.dumps(measure(*arguments.row, corpus, arguments.scale)))
        return
    compare_speed(arguments.scale)
    compare_retrieval(corpus)


def compare_speed(scale: float) -> None:
    """Print the first table."""
    for model in (DEFAULT_MODEL, FLOAT32_MODEL):
        prepare(model, model_cache_dir())
    say(f"{'texts':6} {'engine':22} {'chars/s':>9} {'per CPU s':>10} {'peak MB':>8} {'ratio':>12}")
    for texts in ("even", "mixed"):
        peer = run_row("fastembed", texts, scale)
        for engine in ("fastembed", "postil-float32", "postil-int8"):
            row = peer if engine == "fastembed" else run_row(engine, texts, scale)
            ratios = "/".join(f"{row[key] / peer[key]:.2f}" for key in ("wall", "processor"))
            say(
                f"{texts:6} {engine:22} {row['wall']:9,.0f} {row['processor']:10,.0f}"
                f" {row['peak_mb']:8.0f} {ratios:>12}"
            )


def run_row(engine: str, texts: str, scale: float) -> dict[str, float]:
    """Measure one engine on one kind of text in a process of its own."""
    command = [sys.executable, __file__, "--scale", str(scale), "--row", engine, texts]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, float] = json.loads(done.stdout)
    return row


def measure(engine: str, kind: str, corpus: Path, scale: float) -> dict[str, float]:
    """Return characters per second of wall and of processor time, and this process's peak."""
    texts = sample(corpus, kind, scale)
    embed = fastembed_defaults() if engine == "fastembed" else postil(engine)
    embed(texts[:4])
    memory = psutil.Process()
    wall, processor = time.perf_counter(), time.process_time()
    vectors = embed(texts)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert len(vectors) == len(texts)
    characters = sum(map(len, texts))
    info = memory.memory_info()
    return {
        "wall": characters / wall,
        "processor": characters / processor,
        "peak_mb": peak_bytes(info.rss) / 1e6,
    }


def peak_bytes(now: int) -> int:
    """Return the most memory this process has held, or holds now where nobody kept count."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return max(now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def postil(engine: str) -> Embed:
    """Postil's own engine."""
    name = DEFAULT_MODEL if engine == "postil-int8" else FLOAT32_MODEL
    return open_embedder(name, model_cache_dir()).embed_passages


def fastembed_defaults() -> Embed:
    """Fastembed as it comes, with the float32 model."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="float32",
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf="never asked"),
        dim=384,
        model_file="model.onnx",
        output_name="sentence_embedding",
    )
    folder = prepare(FLOAT32_MODEL, model_cache_dir())
    model = TextEmbedding(
        "float32", cache_dir=str(model_cache_dir()), specific_model_path=str(folder)
    )
    return lambda texts: np.array(list(model.embed(texts)))


def sample(corpus: Path, kind: str, scale: float) -> list[str]:
    """Return even chunks or mixed paragraphs of a novel."""
    path = next((corpus / NOVEL).glob("*moby*"), None) or min((corpus / NOVEL).glob("*.epub"))
    parsed = parse_book(path, name=path.name)
    if kind == "even":
        text = parsed.text
        chunks = [text[chunk.span.start : chunk.span.end] for chunk in chunk_book(parsed).chunks]
        return up_to(chunks, EVEN_CHARACTERS * scale)
    return up_to([block.text for block in parsed.blocks], MIXED_CHARACTERS * scale)


def up_to(texts: Sequence[str], characters: float) -> list[str]:
    """Return the first texts that reach so many characters together."""
    ends = np.cumsum([len(text) for text in texts])
    return list(texts[: int(np.searchsorted(ends, characters)) + 1])


def compare_retrieval(corpus: Path) -> None:
    """Print the second table, over the smallest books."""
    folder = corpus / "eval" / "fairytale"
    lines = (folder / "fairytale_15books.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    books = sorted((folder / "books").glob("*.txt"), key=lambda path: path.stat().st_size)
    say(f"\n{'model':24} {'questions':>9} " + " ".join(f"{f'@{k}':>6}" for k in DEPTHS))
    for name in (FLOAT32_MODEL, DEFAULT_MODEL):
        engine = open_embedder(name, model_cache_dir())
        ranks: list[float] = []
        for path in books[:RETRIEVAL_BOOKS]:
            asked = [row for row in rows if row["corpus_file"].endswith(path.name)]
            ranks += first_hits(path, asked, engine.embed_passages)
        engine.close()
        shares = [np.mean([rank < k for rank in ranks]) for k in DEPTHS]
        say(f"{name:24} {len(ranks):9} " + " ".join(f"{share:6.3f}" for share in shares))


def first_hits(path: Path, rows: Sequence[dict], embed: Embed) -> list[float]:
    """Return for each question the rank, from 0, of the first chunk that holds evidence."""
    parsed = parse_book(path, name=path.name)
    text = parsed.text
    spans = [chunk.span for chunk in chunk_book(parsed).chunks]
    vectors = embed([text[span.start : span.end] for span in spans])
    questions = embed([row["question"] for row in rows])
    ranks: list[float] = []
    for row, order in zip(rows, np.argsort(-(questions @ vectors.T), axis=1), strict=True):
        evidence = [span for part in row["evidence"] for span in places(text, part["text"])]
        if evidence:
            hits = (
                rank
                for rank, chunk in enumerate(order[: max(DEPTHS)])
                if any(spans[chunk].overlaps(span) for span in evidence)
            )
            ranks.append(next(hits, np.inf))
    return ranks


def places(text: str, evidence: str) -> list[Span]:
    """Return where evidence stands in the canonical text, whose blocks end in newlines."""
    flat, wanted = text.replace("\n", " "), fold_text(evidence)
    start = flat.find(wanted)
    return [] if start < 0 else [Span(start, start + len(wanted))]


def say(line: str) -> None:
    """Print a line of a table."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
