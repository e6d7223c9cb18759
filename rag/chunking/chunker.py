"""Cuts a book into chunks (for meaning) inside parent chunks (for words).

Only body matter is cut. The text falls into sections where a chapter starts, where other matter
lies between, and between running text and notes; no chunk crosses from one into another. In a
section, both levels are the cheapest partition of its pieces (rag.chunking.partition): a chunk
prefers to end with a paragraph, then with a sentence, and a heading stays with what follows it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from core.books import Chunk, ParentChunk
from core.search_text import search_text
from core.text import BlockKind, Chapter, Matter, ParsedBook, Span, place_blocks
from rag.chunking.partition import partition
from rag.chunking.pieces import Pieces, Stretch, cut_into_pieces

CHUNKER_VERSION = "chunker/1"
"""Part of every embedding's fingerprint: raise it when the same book would be cut otherwise."""

CHUNK_TOKENS = 64.0
"""Size a chunk should have: dense retrieval did best with small ones (hit@5 .71 at 64 tokens, .64
at 256, MiniLM on FairytaleQA)."""
CHUNK_LIMIT_TOKENS = 80.0
PARENT_TOKENS = 256.0
"""Size a parent should have: large windows serve BM25 better."""
PARENT_LIMIT_TOKENS = 352.0


@dataclass(frozen=True, slots=True)
class ChunkedBook:
    """The chunks of a book and the parents they lie in, each in text order."""

    parents: tuple[ParentChunk, ...]
    chunks: tuple[Chunk, ...]

    @property
    def chunk_character_count(self) -> int:
        """Characters in chunks: what there is to embed."""
        return sum(len(chunk.span) for chunk in self.chunks)


def chunk_book(parsed: ParsedBook) -> ChunkedBook:
    """Cut a parsed book into chunks and parent chunks.

    Every span is a slice of the canonical text without white space at its ends; together the chunks
    hold all of the body text but the white space between them.
    """
    cutter = _Cutter(parsed)
    for section in _sections(parsed):
        cutter.cut(section)
    return ChunkedBook(tuple(cutter.parents), tuple(cutter.chunks))


def _sections(parsed: ParsedBook) -> Iterator[list[Stretch]]:
    """Yield the runs of body text that chunks may span."""
    starts = sorted({chapter.start for chapter in parsed.chapters})
    passed = 0
    section: list[Stretch] = []
    is_new = False
    for placed in place_blocks(parsed.blocks):
        block = placed.block
        first_inside = bisect_right(starts, placed.start, passed)
        is_new |= first_inside > passed or block.matter is not Matter.BODY
        passed = bisect_right(starts, placed.end - 1, first_inside)
        if block.matter is not Matter.BODY:
            continue
        is_note = block.kind is BlockKind.NOTE
        is_new |= bool(section) and (section[-1].kind is BlockKind.NOTE) != is_note
        edges = (placed.start, *starts[first_inside:passed], placed.end)
        for start, end in pairwise(edges):
            if section and (is_new or start > placed.start):
                yield section
                section = []
            section.append(Stretch(start, end, block.kind, block.language))
        is_new = False
    if section:
        yield section


@dataclass(slots=True)
class _Cutter:
    """Cuts section after section, numbering chunks and parents through the book."""

    parsed: ParsedBook
    parents: list[ParentChunk] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    _text: str = field(init=False)
    _path: list[Chapter] = field(default_factory=list)
    _next_chapter: int = 0

    def __post_init__(self) -> None:
        self._text = self.parsed.text

    def cut(self, section: list[Stretch]) -> None:
        """Append the chunks and parents of one section."""
        language = self.parsed.metadata.language
        pieces = cut_into_pieces(self._text, section, language, CHUNK_LIMIT_TOKENS)
        if not pieces.sizes:
            return
        chunk_ends = _partition(pieces, CHUNK_TOKENS, CHUNK_LIMIT_TOKENS)
        parent_ends = _partition(pieces.joined(chunk_ends), PARENT_TOKENS, PARENT_LIMIT_TOKENS)
        title_text = self._title_text(pieces.starts[0])
        for first, past in pairwise((0, *parent_ends)):
            self._add_parent(pieces, (0, *chunk_ends)[first : past + 1], title_text)

    def _add_parent(self, pieces: Pieces, chunk_edges: tuple[int, ...], title_text: str) -> None:
        """Append a parent made of the chunks between these edges, which count pieces."""
        search_texts: list[str] = []
        for first, past in pairwise(chunk_edges):
            span = Span(pieces.starts[first], pieces.ends[past - 1])
            language = pieces.languages[first]
            words = search_text(self._text[span.start : span.end], language)
            search_texts.append(words)
            self.chunks.append(Chunk(len(self.chunks), span, len(self.parents), words))
        span = Span(pieces.starts[chunk_edges[0]], pieces.ends[chunk_edges[-1] - 1])
        words = " ".join(search_texts)
        self.parents.append(ParentChunk(len(self.parents), span, words, title_text))

    def _title_text(self, offset: int) -> str:
        """Return the search text of the titles that hold at `offset`, which only moves on."""
        chapters, path = self.parsed.chapters, self._path
        while self._next_chapter < len(chapters) and chapters[self._next_chapter].start <= offset:
            chapter = chapters[self._next_chapter]
            self._next_chapter += 1
            while path and path[-1].level >= chapter.level:
                path.pop()
            path.append(chapter)
        metadata = self.parsed.metadata
        titles = " ".join((metadata.title, *(chapter.title for chapter in path)))
        return search_text(titles, metadata.language)


def _partition(pieces: Pieces, target: float, limit: float) -> list[int]:
    costs = [cut.value * target * target for cut in pieces.cuts]
    return partition(pieces.sizes, costs, target, limit)
