"""From a text file to a ParsedBook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import DamagedBookError, EmptyBookError, OversizedBookError
from core.text import Block, BlockKind, BookMetadata, Chapter, Matter, ParsedBook, place_blocks
from rag.parsing.language import detect_language
from rag.parsing.txt.encodings import Decoding, find_decoding
from rag.parsing.txt.frame import Frame
from rag.parsing.txt.gutenberg import find_frame
from rag.parsing.txt.headings import Outline, find_outline
from rag.parsing.txt.layout import Piece, choose_layout, cut_paragraphs
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
    frame = find_frame(lines) or Frame(0, len(lines))
    book_lines = lines[frame.first : frame.end]
    layout = choose_layout(book_lines)
    outline = find_outline(lines, frame.first, frame.end, layout)
    pieces = [*_frame_pieces(lines, 0, frame.first, Matter.FRONT)]
    position = frame.first
    for heading in outline.headings:
        pieces += cut_paragraphs(lines, position, heading.first, layout)
        pieces.append(Piece(BlockKind.HEADING, heading.first, heading.last, heading.level))
        position = heading.last + 1
    pieces += cut_paragraphs(lines, position, frame.end, layout)
    pieces += _frame_pieces(lines, frame.end, len(lines), Matter.LICENCE)
    blocks = tuple(_block(lines, piece) for piece in _with_matter(pieces, outline))
    chapters = tuple(
        Chapter(ordinal, placed.block.text, placed.block.level, placed.start)
        for ordinal, placed in enumerate(
            p for p in place_blocks(blocks) if p.block.kind is BlockKind.HEADING
        )
    )
    return ParsedBook(
        metadata=_metadata(frame, blocks, name),
        blocks=blocks,
        chapters=chapters,
        format="txt",
        parser_version=PARSER_VERSION,
        encoding=decoding.encoding,
        warnings=_warnings(blocks, decoding),
    )


def _frame_pieces(lines: Sequence[Line], first: int, end: int, matter: Matter) -> Iterator[Piece]:
    layout = choose_layout(lines[first:end])
    for piece in cut_paragraphs(lines, first, end, layout):
        yield replace(piece, kind=BlockKind.PARAGRAPH, matter=matter)


def _with_matter(pieces: list[Piece], outline: Outline) -> Iterator[Piece]:
    for piece in pieces:
        if any(first <= piece.first < end for first, end in outline.contents):
            piece = replace(piece, matter=Matter.FRONT)
        yield piece


def _block(lines: Sequence[Line], piece: Piece) -> Block:
    text = join_lines([line.text for line in lines[piece.first : piece.last + 1]])
    locator = f"{lines[piece.first].start}-{lines[piece.last].end}"
    return Block(piece.kind, text, locator, piece.level, piece.matter)


def _metadata(frame: Frame, blocks: Sequence[Block], name: str) -> BookMetadata:
    text = "\n".join(block.text for block in blocks if block.matter is Matter.BODY)
    language = frame.language or detect_language(text)
    title = frame.title or re.sub(r"[_\s]+", " ", Path(name).stem).strip() or name
    return BookMetadata(
        title=title,
        authors=frame.authors,
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
