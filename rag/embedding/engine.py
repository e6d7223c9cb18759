"""Turns text into vectors, with fastembed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.embeddings import EmbeddingFingerprint
from core.errors import EmbeddingError
from rag.embedding.build import MODEL_FILE
from rag.embedding.catalogue import EmbeddingModel, find_model
from rag.embedding.model_files import bundled_revision, prepare
from rag.ports import Float32Array

if TYPE_CHECKING:
    from fastembed import TextEmbedding

# Passages that a thread takes at a time: enough that handing them out costs nothing, few enough
# that the threads end together.
_PASSAGES_PER_TASK = 8

_registry_lock = threading.Lock()


def open_embedder(
    model_name: str, cache_dir: Path, *, allow_download: bool = False
) -> EmbeddingEngine:
    """Return an engine for a model of the catalogue. Light: the model loads on first use.

    A name that the catalogue lacks is an error of that first use too: it comes from settings, and
    the rest of Postil works without a model.

    Args:
        model_name: a name from the catalogue.
        cache_dir: the model cache.
        allow_download: may the model be downloaded on first use? The bundled ones never are.
    """
    return EmbeddingEngine(model_name, cache_dir, allow_download=allow_download)


class EmbeddingEngine:
    """Runs one embedding model on the processor. Thread-safe.

    Passages go through the model one at a time on as many threads as there are cores. A batch
    would be no faster, and its vectors would depend on what else is in it: int8 activations are
    scaled per batch, and padding costs what the longest passage costs.
    """

    def __init__(self, model_name: str, cache_dir: Path, *, allow_download: bool = False) -> None:
        self._model_name = model_name
        self._cache_dir = cache_dir
        self._allow_download = allow_download
        self._loading = threading.Lock()  # held while the model is built and loaded
        self._lock = threading.Lock()  # held around what follows, and never for long
        self._encoder: TextEmbedding | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    @cached_property
    def _model(self) -> EmbeddingModel:
        return find_model(self._model_name)

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """What the vectors belong to; the chunker's version is left to the caller.

        Raises:
            EmbeddingError: there is no such model, or it is not a bundled one and not there, so
                that nobody knows its revision.
        """
        model = self._model
        # The hub's cache names the folder of a downloaded model for its revision.
        revision = bundled_revision(model) if model.bundled else self._prepare().name
        return EmbeddingFingerprint(
            model=model.name,
            revision=revision,
            dimension=model.dimension,
            pooling=model.pooling,
            normalised=True,
            prefix=model.passage_prefix,
            chunker_version="",
        )

    def warm_up(self) -> None:
        """Load the model, building or downloading it first where needed.

        Raises:
            EmbeddingError: it is missing or does not load.
        """
        self._load()

    def embed_passages(self, texts: Sequence[str]) -> Float32Array:
        """Return unit vectors, float32 of shape (len(texts), dimension).

        A text past the model's limit of tokens is cut there. The same text always gives the same
        vector, whatever it comes with.

        Raises:
            EmbeddingError: the model is missing or does not load.
        """
        encoder = self._load()
        vectors = np.empty((len(texts), self._model.dimension), dtype=np.float32)

        def embed(start: int) -> None:
            texts_here = texts[start : start + _PASSAGES_PER_TASK]
            for row, text in enumerate(texts_here, start):
                vectors[row] = self._embed_one(encoder, self._model.passage_prefix + text)

        starts = range(0, len(texts), _PASSAGES_PER_TASK)
        if len(starts) <= 1:
            for start in starts:
                embed(start)
        else:
            for _ in self._pool().map(embed, starts):
                pass
        return vectors

    def embed_query(self, text: str) -> Float32Array:
        """Return the unit vector, float32 of shape (dimension,), of a question.

        Raises:
            EmbeddingError: the model is missing or does not load.
        """
        return self._embed_one(self._load(), self._model.query_prefix + text)

    def close(self) -> None:
        """End the threads and let go of the model. Closing twice is no error.

        A model that is just being built or loaded is not waited for: it is let go of when it is
        there, and the call that wanted it fails.
        """
        with self._lock:
            self._closed = True
            threads, self._threads, self._encoder = self._threads, None, None
        if threads is not None:
            threads.shutdown()

    @staticmethod
    def _embed_one(encoder: TextEmbedding, text: str) -> Float32Array:
        (vector,) = encoder.embed([text], batch_size=1)
        return np.asarray(vector, dtype=np.float32)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            self._raise_if_closed()
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_usable_cores(), "embedding")
            return self._threads

    def _load(self) -> TextEmbedding:
        with self._loading:
            with self._lock:
                self._raise_if_closed()
                if self._encoder is not None:
                    return self._encoder
            encoder = _open_encoder(self._model, self._prepare(), self._cache_dir)
            with self._lock:
                self._raise_if_closed()
                self._encoder = encoder
            return encoder

    def _prepare(self) -> Path:
        return prepare(self._model_name, self._cache_dir, allow_download=self._allow_download)

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise EmbeddingError("The embedding engine is closed.")


def _open_encoder(model: EmbeddingModel, folder: Path, cache_dir: Path) -> TextEmbedding:
    """Load a model with fastembed from files that are there; nothing is downloaded."""
    from fastembed import TextEmbedding

    name = _register(model) if model.bundled else model.name
    try:
        return TextEmbedding(
            name,
            cache_dir=str(cache_dir),
            threads=1,
            providers=["CPUExecutionProvider"],
            specific_model_path=str(folder),
            local_files_only=True,
        )
    except Exception as error:  # onnxruntime and tokenizers raise their own kinds
        raise EmbeddingError(
            f"The embedding model “{model.name}” does not load ({error}). Search works by words; "
            f"removing the folder {folder} makes Postil fetch it again."
        ) from error


def _register(model: EmbeddingModel) -> str:
    """Make a bundled model known to fastembed, once in a process; return its name there."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    name = f"postil/{model.name}"
    with _registry_lock:
        known = {entry["model"] for entry in TextEmbedding.list_supported_models()}
        if name not in known:
            TextEmbedding.add_custom_model(
                model=name,
                # The graph pools and normalises.
                pooling=PoolingType.DISABLED,
                normalization=False,
                # fastembed asks for a source; loading from a folder never looks at it.
                sources=ModelSource(hf="sentence-transformers/all-MiniLM-L6-v2"),
                dim=model.dimension,
                model_file=MODEL_FILE,
                output_name="sentence_embedding",
                license=model.licence,
                size_in_gb=model.size_mb / 1000,
            )
    return name


def _usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
