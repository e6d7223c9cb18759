"""What the ingest worker process and its parent say to each other.

The parent asks for one thing at a time, but for passages, of which it may have several batches
under way. Each request is answered in order: `ReadBook` by `BookParsed`, `TextBegan`, any number of
`TextPart`s and `TextEnded`; `LoadModel` by `ModelLoaded` or, for the time being, `ModelLoading`;
`EmbedPassages` by `PassagesEmbedded`. Instead of any of these `Failed` may come, and ends the
answer. `Logged` may come at any time. Parts are small, so that the parent never holds its
interpreter for long over one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.books import Chunk, ParentChunk
from core.ports import TextSummary
from core.text import Cover, PlacedBlock

MAX_PART_ITEMS = 100


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Parse and chunk the file at `path`, which the reader knows as `name`."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Load an embedding model of the catalogue, building it in the model cache where needed.

    It loads beside other work. Ask again until it is there.
    """

    name: str
    model_cache: Path


@dataclass(frozen=True, slots=True)
class EmbedPassages:
    """Embed some passages."""

    texts: list[str]


Request = ReadBook | LoadModel | EmbedPassages


@dataclass(frozen=True, slots=True)
class BookParsed:
    """The source file is read; chunking begins."""


@dataclass(frozen=True, slots=True)
class TextBegan:
    """What the text will amount to; `summary.cover_name` is left to the parent."""

    summary: TextSummary
    cover: Cover | None


@dataclass(frozen=True, slots=True)
class TextPart:
    """The next blocks, parents and chunks of a text: `MAX_PART_ITEMS` at most, of one kind."""

    blocks: tuple[PlacedBlock, ...] = ()
    parents: tuple[ParentChunk, ...] = ()
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True)
class TextEnded:
    """All parts were sent."""


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    """Passages can be embedded now."""


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """The model is not there yet."""


@dataclass(frozen=True, slots=True)
class PassagesEmbedded:
    """Unit vectors as half-precision little-endian rows, one for each passage, joined."""

    rows: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The request could not be met.

    Attributes:
        kind: name of an error class in core.errors.
        message: for the reader.
    """

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A log record of the worker."""

    logger: str
    level: int
    message: str


Reply = (
    BookParsed
    | TextBegan
    | TextPart
    | TextEnded
    | ModelLoaded
    | ModelLoading
    | PassagesEmbedded
    | Failed
    | Logged
)
