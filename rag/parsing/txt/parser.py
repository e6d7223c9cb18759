"""From a text file to a ParsedBook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import DamagedBookError, EmptyBookError, OversizedBookError
from core.text import (
    BLOCK_SEPARATOR,
    Block,
    BlockKind,
    BookMetadata,
    Chapter,
    Matter,
    ParsedBook,
    fold_text,
    place_blocks,
)
from rag.parsing.language import detect_language
from rag.parsing.txt.aozora import read_aozora
from rag.parsing.txt.encodings import Decoding, find_decoding
from rag.parsing.txt.frame import Frame
from rag.parsing.txt.gutenberg import find_frame
from rag.parsing.txt.headings import Outline, find_outline
from rag.parsing.txt.labels import undecorated
from rag.parsing.txt.layout import Layout, Piece, Setting, choose_layout, cut_paragraphs
from rag.parsing.txt.opening import identify, opening_end
from rag.parsing.txt.source import Line, join_lines, read_lines

PARSER_VERSION = "txt/1"
_MAX_BYTES = 256 * 1024 * 1024


def parse_txt(path: Path, *, name: str, encoding: str | None = None) -> ParsedBook:
    """Parse the text file at `path`, which the reader knows as `name`.

    A block's locator is `"{first byte}-{last byte}"`, a half-open range of the file's bytes: these
    bytes, decoded as `ParsedBook.encoding` and with white space folded, are the block's text
    (less line breaks between Chinese or Japanese characters, and less Aozora Bunko mark-up).

    Args:
        path: the file.
        name: its name, for the title where the text does not tell one.
        encoding: the encoding to read it with, where the reader has chosen one.

    Raises:
        EmptyBookError: there is no text in it.
        OversizedBookError: it is larger than 256 MiB.
        BadBookError: it is no text, it cannot be read, or `encoding` is no encoding.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise OversizedBookError(
                f"The file has {size // 2**20} MiB; Postil reads text files of up to 256 MiB."
            )
        data = path.read_bytes()
    except OSError as error:
        raise DamagedBookError(f"The file cannot be read: {error.strerror}.") from error
    return _parse(data, name, find_decoding(data, encoding))


def _parse(data: bytes, name: str, decoding: Decoding) -> ParsedBook:
    lines = read_lines(data, decoding)
    if not any(line.text for line in lines):
        raise EmptyBookError("The file holds no text.")
    marked = read_aozora(lines)
    if marked:
        lines, frame, layout = marked.lines, marked.frame, Layout(Setting.LINE, 0)
    else:
        frame = find_frame(lines) or Frame(0, len(lines))
        layout = choose_layout(lines[frame.first : frame.end])
    if marked and marked.headings:
        outline = Outline(marked.headings)
    else:
        outline = find_outline(lines, frame.first, frame.end, layout)
    if marked:
        body = frame.first
    else:
        most_runs = 30 if outline.headings else 12 if frame.title else 3
        body = opening_end(lines, frame.first, outline.begin(frame.end), most_runs)
    pieces = _pieces(lines, frame, outline, layout)
    blocks = tuple(_block(lines, piece) for piece in _with_front(pieces, body, outline))
    return ParsedBook(
        metadata=_metadata(lines, frame, body, blocks, name),
        blocks=blocks,
        chapters=_chapters(blocks),
        format="txt",
        parser_version=PARSER_VERSION,
        encoding=decoding.encoding,
        warnings=_warnings(blocks, decoding),
    )


def _pieces(
    lines: Sequence[Line], frame: Frame, outline: Outline, layout: Layout
) -> Iterator[Piece]:
    yield from _around(lines, 0, frame.first, Matter.FRONT)
    position = frame.first
    for heading in outline.headings:
        yield from cut_paragraphs(lines, position, heading.first, layout)
        yield Piece(BlockKind.HEADING, heading.first, heading.last, heading.level)
        position = heading.last + 1
    yield from cut_paragraphs(lines, position, frame.end, layout)
    yield from _around(lines, frame.end, len(lines), frame.end_matter)


def _around(lines: Sequence[Line], first: int, end: int, matter: Matter) -> Iterator[Piece]:
    """Cut a distributor's header or licence, which has a layout of its own."""
    layout = choose_layout(lines[first:end])
    for piece in cut_paragraphs(lines, first, end, layout):
        yield replace(piece, kind=BlockKind.PARAGRAPH, matter=matter)


def _with_front(pieces: Iterable[Piece], body: int, outline: Outline) -> Iterator[Piece]:
    """Mark the title page and printed tables of contents as front matter."""
    listed = {index for first, end in outline.contents for index in range(first, end)}
    for piece in pieces:
        if piece.matter is Matter.BODY and (piece.first in listed or piece.first < body):
            piece = replace(piece, kind=BlockKind.PARAGRAPH, level=0, matter=Matter.FRONT)
        yield piece


def _chapters(blocks: Sequence[Block]) -> tuple[Chapter, ...]:
    headings = [p for p in place_blocks(blocks) if p.block.kind is BlockKind.HEADING]
    return tuple(
        Chapter(ordinal, undecorated(placed.block.text), placed.block.level, placed.start)
        for ordinal, placed in enumerate(headings)
    )


def _block(lines: Sequence[Line], piece: Piece) -> Block:
    text = join_lines([line.text for line in lines[piece.first : piece.last + 1]])
    locator = f"{lines[piece.first].start}-{lines[piece.last].end}"
    return Block(piece.kind, text, locator, piece.level, piece.matter)


def _metadata(
    lines: Sequence[Line], frame: Frame, body: int, blocks: Sequence[Block], name: str
) -> BookMetadata:
    title, authors = frame.title, frame.authors
    if title is None:
        title, authors = identify(lines, frame.first, body, name)
    language = frame.language or detect_language(
        BLOCK_SEPARATOR.join(block.text for block in blocks if block.matter is Matter.BODY)
    )
    return BookMetadata(
        title=fold_text(title),
        authors=tuple(map(fold_text, authors)),
        language=language,
        published=frame.published,
    )


def _warnings(blocks: Sequence[Block], decoding: Decoding) -> tuple[str, ...]:
    bad = sum(block.text.count("\ufffd") for block in blocks)
    if not bad:
        return ()
    return (
        f"{bad} characters could not be read as {decoding.encoding} and are shown as �."
        " If the text looks wrong, choose another encoding.",
    )
