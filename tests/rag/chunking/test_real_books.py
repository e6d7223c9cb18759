"""Chunks of real books in several scripts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from core.text import Matter
from rag.chunking.chunker import CHUNK_LIMIT_TOKENS, CHUNK_TOKENS, chunk_book
from rag.chunking.tokens import estimate_tokens
from rag.parsing.formats import parse_book

BOOKS = [
    "epub/standardebooks/jane-austen_persuasion.epub",
    "epub/standardebooks/walt-whitman_leaves-of-grass.epub",
    "epub/idpf-epub3-samples/regime-anticancer-arabic.epub",
    "epub/idpf-epub3-samples/kusamakura-japanese-vertical-writing.epub",
    "epub/idpf-epub3-samples/israelsailing.epub",
]


@pytest.mark.corpus
@pytest.mark.parametrize("name", BOOKS)
def test_chunks_hold_the_body_in_even_slices(corpus: Path, name: str) -> None:
    parsed = parse_book(corpus / name, name=name)
    text = parsed.text
    chunks = [text[chunk.span.start : chunk.span.end] for chunk in chunk_book(parsed).chunks]
    body = "".join(block.text for block in parsed.blocks if block.matter is Matter.BODY)
    assert "".join("".join(chunks).split()) == "".join(body.split())
    sizes = [estimate_tokens(chunk) for chunk in chunks]
    assert max(sizes) <= CHUNK_LIMIT_TOKENS + 1
    assert 0.85 * CHUNK_TOKENS < sum(sizes) / len(sizes) < CHUNK_LIMIT_TOKENS
    assert sum(size < CHUNK_TOKENS / 3 for size in sizes) / len(sizes) < 0.05


@pytest.mark.corpus
def test_most_chunks_of_a_novel_end_with_a_sentence(corpus: Path) -> None:
    name = "epub/standardebooks/jack-london_the-call-of-the-wild.epub"
    parsed = parse_book(corpus / name, name=name)
    text = parsed.text
    chunks = [text[chunk.span.start : chunk.span.end] for chunk in chunk_book(parsed).chunks]
    ended = sum(chunk[-1] in ".!?…”’:" for chunk in chunks)
    assert ended / len(chunks) > 0.93
    spans = [chunk.span for chunk in chunk_book(parsed).chunks]
    assert all(before.end <= after.start for before, after in pairwise(spans))
