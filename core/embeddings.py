"""Which embeddings belong together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingFingerprint:
    """All that makes two embeddings comparable; an index holds embeddings of one fingerprint.

    Attributes:
        model: name of the model.
        revision: content hash or version of its weights, quantisation included.
        dimension: length of a vector.
        pooling: "mean" or "cls".
        normalised: whether vectors have length 1.
        prefix: what is put before a passage, "" for most models.
        chunker_version: version of the chunker that cut the passages.
    """

    model: str
    revision: str
    dimension: int
    pooling: str
    normalised: bool
    prefix: str
    chunker_version: str

    @property
    def key(self) -> str:
        """A short name for files and rows: the first 16 hex digits of the fields' SHA-256."""
        fields = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.sha256(fields).hexdigest()[:16]
