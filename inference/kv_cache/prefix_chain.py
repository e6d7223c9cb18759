"""Keys by which blocks of equal tokens after equal tokens find each other."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

_DIGEST_BYTES = 16


class BlockKey(NamedTuple):
    """What a full block of a sequence holds.

    Attributes:
        digest: hash of the seed and of all tokens up to the block's end.
        tokens: the block's own tokens, 8 bytes each, to compare on a hit.
    """

    digest: bytes
    tokens: bytes


class PrefixChain:
    """The keys of a sequence's full blocks, each chained to the one before it.

    Attributes:
        keys: one for each full block hashed so far.
    """

    __slots__ = ("_block_size", "_digest", "keys")

    def __init__(self, seed: bytes, block_size: int) -> None:
        self._block_size = block_size
        self._digest = blake2b(seed, digest_size=_DIGEST_BYTES).digest()
        self.keys: list[BlockKey] = []

    def extend(self, token_ids: Sequence[int]) -> None:
        """Hash the full blocks of a sequence that has grown at its end.

        Args:
            token_ids: the whole sequence; what was hashed before must not have changed.
        """
        for block in range(len(self.keys), len(token_ids) // self._block_size):
            start = block * self._block_size
            tokens = array("q", token_ids[start : start + self._block_size]).tobytes()
            self._digest = blake2b(self._digest + tokens, digest_size=_DIGEST_BYTES).digest()
            self.keys.append(BlockKey(self._digest, tokens))
