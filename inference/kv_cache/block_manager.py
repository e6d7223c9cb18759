"""Who holds which block of the key-value cache, and which blocks can be shared.

The cache is cut into blocks of a fixed number of tokens (paged attention, arXiv 2309.06180). A
sequence holds blocks through a `BlockTable`. A full block whose keys and values are computed is
*published* under the chained hash of its tokens and of all before it; a sequence that begins with
the same tokens takes it into its own table instead of computing it again. Nothing is copied: only
full blocks are shared, and a sequence writes behind them.

A block is in exactly one of three states:

    free        holds nothing of use
    held        in at least one open table
    kept        published, in no open table: reusable until its place is needed

Kept blocks are given up least recently used first. A table is closed from its end, so a block is
always given up before the one that its keys and values build on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from inference.kv_cache.prefix_chain import BlockKey, PrefixChain

_FREE = b"\x01"
_NO_BLOCK = -1


@dataclass(slots=True, eq=False)
class BlockTable:
    """The blocks of one sequence.

    Attributes:
        block_ids: block b holds positions b * block_size to (b + 1) * block_size - 1.
        published: how many of the first blocks are published.
    """

    block_ids: list[int] = field(default_factory=list)
    published: int = 0


class BlockManager:
    """Hands out the blocks of one cache. Not thread-safe: the engine's thread owns it.

    Args:
        num_blocks: blocks in the cache.
        block_size: tokens in a block.
        seed: names what the keys and values depend on beside the tokens (model, quantisation).
        share_prefixes: publish and reuse blocks.
    """

    def __init__(
        self, num_blocks: int, block_size: int, *, seed: bytes = b"", share_prefixes: bool = True
    ) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._seed = seed
        self.share_prefixes = share_prefixes
        self.clear()

    def clear(self) -> None:
        """Forget everything; no table may be open."""
        self._free = bytearray(_FREE * self.num_blocks)
        self._num_free = self.num_blocks
        self._cursor = 0
        self._holders = [0] * self.num_blocks
        self._children = [0] * self.num_blocks
        self._parent = [_NO_BLOCK] * self.num_blocks
        self._key: list[BlockKey | None] = [None] * self.num_blocks
        self._published: dict[bytes, int] = {}
        self._kept: OrderedDict[int, None] = OrderedDict()

    @property
    def num_free(self) -> int:
        """Blocks that hold nothing of use."""
        return self._num_free

    @property
    def num_kept(self) -> int:
        """Published blocks in no open table."""
        return len(self._kept)

    @property
    def num_available(self) -> int:
        """Blocks that can be had: free ones and those whose contents can be given up."""
        return self._num_free + len(self._kept)

    def blocks_for(self, num_tokens: int) -> int:
        """Return how many blocks hold so many tokens."""
        return -(-num_tokens // self.block_size)

    def new_chain(self) -> PrefixChain:
        """Return the empty chain of keys of a new sequence."""
        return PrefixChain(self._seed, self.block_size)

    def match(self, chain: PrefixChain, num_tokens: int) -> list[int]:
        """Find the published blocks that a sequence begins with.

        Args:
            chain: the sequence's keys.
            num_tokens: the sequence's length; its last token is never taken from the cache, since
                the logits after it are wanted.
        """
        matched: list[int] = []
        if not self.share_prefixes:
            return matched
        for key in chain.keys[: (num_tokens - 1) // self.block_size]:
            block = self._published.get(key.digest)
            if block is None or self._key[block] != key:
                break
            matched.append(block)
        return matched

    def open(
        self, chain: PrefixChain, num_tokens: int, *, spare_blocks: int = 0, growth_blocks: int = 0
    ) -> BlockTable | None:
        """Take blocks for a sequence: published ones as far as they go, then others.

        Args:
            chain: the keys of the sequence's full blocks.
            num_tokens: tokens that the blocks must hold, at least 1.
            spare_blocks: available blocks that must be left afterwards.
            growth_blocks: blocks that the sequence may yet want; room is left behind it.

        Returns:
            The table, of which `published` blocks hold computed tokens, or None, changing nothing,
            where there are not enough blocks.
        """
        matched = self.match(chain, num_tokens)
        wanted = self.blocks_for(num_tokens) - len(matched)
        revived = sum(1 for block in matched if self._holders[block] == 0)
        if wanted + spare_blocks > self.num_available - revived:
            return None
        for block in matched:
            self._hold(block)
        table = BlockTable(matched, len(matched))
        self._append(table, wanted, growth_blocks)
        return table

    def extend(self, table: BlockTable, num_tokens: int) -> bool:
        """Lengthen a table until it holds so many tokens; False, changing nothing, if it cannot."""
        wanted = self.blocks_for(num_tokens) - len(table.block_ids)
        if wanted > self.num_available:
            return False
        if wanted > 0:
            self._append(table, wanted, 0)
        return True

    def publish(self, table: BlockTable, chain: PrefixChain, computed_tokens: int) -> None:
        """Let others share the full blocks among a table's computed tokens.

        Where another sequence published the same tokens meanwhile, the table takes that block and
        frees its own, so that every published block's parent is in each table that holds it.

        Args:
            table: an open table.
            chain: the sequence's keys, for all of `computed_tokens`.
            computed_tokens: tokens whose keys and values are in the cache.
        """
        if not self.share_prefixes:
            return
        for index in range(table.published, computed_tokens // self.block_size):
            block, key = table.block_ids[index], chain.keys[index]
            twin = self._published.get(key.digest)
            if twin is None:
                self._register(block, key, table.block_ids[index - 1] if index else _NO_BLOCK)
            elif self._key[twin] == key:
                self._hold(twin)
                table.block_ids[index] = twin
                self._release(block)
            else:  # another block of the same digest: what follows cannot be told apart from its
                return
            table.published = index + 1

    def close(self, table: BlockTable, *, keep: bool = True) -> None:
        """Give back all blocks of a table.

        Args:
            table: an open table; empty afterwards.
            keep: leave what is published reusable; False where it may be damaged.
        """
        for block in reversed(table.block_ids):
            self._release(block)
            if not keep and block in self._kept and not self._children[block]:
                self._forget(block)
        table.block_ids.clear()
        table.published = 0

    def check_integrity(self, tables: Iterable[BlockTable]) -> None:
        """Compare the books with the open tables.

        Raises:
            RuntimeError: a block is lost, or shared wrongly.
        """
        holders, children = [0] * self.num_blocks, [0] * self.num_blocks
        for table in tables:
            for index, block in enumerate(table.block_ids):
                holders[block] += 1
                shared = index < table.published
                parent = table.block_ids[index - 1] if index else _NO_BLOCK
                _require(shared == (self._key[block] is not None), "a table's count is wrong")
                _require(not shared or self._parent[block] == parent, "a parent is not the table's")
                _require(shared or self._holders[block] == 1, "an unpublished block is shared")
        _require(holders == self._holders, "a block's holders are miscounted")
        _require(self._free.count(_FREE) == self._num_free, "the free blocks are miscounted")
        for block, key in enumerate(self._key):
            kept = key is not None and not holders[block]
            free = key is None and not holders[block]
            _require(bool(self._free[block]) == free, "a block is lost")
            _require((block in self._kept) == kept, "a reusable block is lost")
            if key is not None:
                _require(self._published.get(key.digest) == block, "a published block is not found")
                if (parent := self._parent[block]) != _NO_BLOCK:
                    children[parent] += 1
                    _require(self._key[parent] is not None, "a block builds on one given up")
        _require(children == self._children, "a block's children are miscounted")
        _require(len(self._published) == sum(key is not None for key in self._key), "a stray key")

    def _append(self, table: BlockTable, count: int, growth: int) -> None:
        while self._num_free < count:
            self._forget(next(iter(self._kept)))
        after = table.block_ids[-1] + 1 if table.block_ids else self.num_blocks
        while count and after < self.num_blocks and self._free[after]:
            self._take(table, after, 1)
            after, count = after + 1, count - 1
        length = count
        while count:
            length = min(length, count)
            start = self._find_run(length + growth)
            if start < 0:
                start = self._find_run(length)
            if start < 0:
                length = -(-length // 2)
                continue
            self._take(table, start, length)
            self._cursor = start + length + growth
            count -= length

    def _find_run(self, length: int) -> int:
        run = _FREE * length
        start = self._free.find(run, self._cursor)
        return start if start >= 0 else self._free.find(run)

    def _take(self, table: BlockTable, start: int, length: int) -> None:
        self._free[start : start + length] = bytes(length)
        self._num_free -= length
        for block in range(start, start + length):
            self._holders[block] = 1
            table.block_ids.append(block)

    def _hold(self, block: int) -> None:
        if self._holders[block] == 0:
            del self._kept[block]
        self._holders[block] += 1

    def _release(self, block: int) -> None:
        self._holders[block] -= 1
        if self._holders[block]:
            return
        if self._key[block] is not None:
            self._kept[block] = None
        else:
            self._set_free(block)

    def _register(self, block: int, key: BlockKey, parent: int) -> None:
        self._key[block] = key
        self._published[key.digest] = block
        self._parent[block] = parent
        if parent != _NO_BLOCK:
            self._children[parent] += 1

    def _forget(self, block: int) -> None:
        key, parent = self._key[block], self._parent[block]
        assert key is not None
        assert not self._children[block]
        del self._kept[block]
        del self._published[key.digest]
        self._key[block], self._parent[block] = None, _NO_BLOCK
        if parent != _NO_BLOCK:
            self._children[parent] -= 1
        self._set_free(block)

    def _set_free(self, block: int) -> None:
        self._free[block] = 1
        self._num_free += 1


def _require(condition: bool, what_is_wrong: str) -> None:
    if not condition:
        raise RuntimeError(f"The key-value cache's books do not add up: {what_is_wrong}.")
