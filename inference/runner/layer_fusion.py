"""Fuses a model's layers for its decode steps, where that is proved on the device to be right."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from inference.attention.paged import PagedStep
from inference.kernels.fused_layer import FusedLayer, fuse_layers
from inference.kernels.paged_decode import PagedRows
from inference.kv_cache.cache import KVCache
from inference.layers.rotary import Rotary
from inference.models.base import CausalLM
from inference.models.decoder import Decoder
from inference.runner.decode_graphs import Record

log = logging.getLogger(__name__)

# What half precision may differ by, as a share of the output's size; a wrong kernel differs by 1.
_TOLERANCE = 0.03
_INPUT_SIZE = 1e-3
_REPLAYS = 50


def fuse(model: CausalLM, cache: KVCache, *, scratch_block: int, record: Record) -> None:
    """Put fused layers into the model if the first gives what the plain one gives.

    Whether single rows go through our product or PyTorch's is decided by time.

    Args:
        model: the model; its layers are replaced.
        cache: keys and values.
        scratch_block: a block of it that nobody reads.
        record: makes a replay of what a function launches.
    """
    fused = fuse_layers(model)
    if not fused:
        return
    assert isinstance(model, Decoder)
    probe = Probe(model, cache, scratch_block)
    try:
        sound = all(probe.error(fused[0], rows) < _TOLERANCE for rows in (1, 3))
        if sound and fused[0].reads_rows:
            faster = _row_product_is_faster(fused[0], probe, record)
            for layer in fused:
                layer.reads_rows = faster
    except Exception:
        log.warning("the fused layers do not run; plain ones serve", exc_info=True)
        sound = False
    else:
        if not sound:
            log.warning("the fused layers differ from the plain ones, which serve instead")
    if not sound:
        for index, replaced in enumerate(model.layers):
            if isinstance(replaced, FusedLayer):
                model.layers[index] = replaced.plain


class Probe:
    """Runs a layer by itself, on random input."""

    def __init__(self, model: Decoder, cache: KVCache, scratch_block: int) -> None:
        rotary = model.rotaries[0]
        assert isinstance(rotary, Rotary)
        self._rotary = rotary
        self._cache = cache
        self._scratch_block = scratch_block
        self._hidden_size = model.config.hidden_size

    def compute(self, layer: nn.Module, rows: int) -> Callable[[], Tensor]:
        """A function that runs the layer; the same input each time."""
        device, size = self._cache.device, self._cache.block_size
        positions = torch.arange(rows, device=device)
        tables = torch.full((rows, 1), self._scratch_block, dtype=torch.int32, device=device)
        slots = positions + self._scratch_block * size
        step = PagedStep(self._cache, slots, PagedRows(tables, positions, size))
        rotation = self._rotary(positions)
        generator = torch.Generator(device).manual_seed(0)
        x = torch.randn(rows, self._hidden_size, generator=generator, device=device)
        # Small beside what the layer adds to it, which is what can be wrong.
        x = x.mul_(_INPUT_SIZE).to(self._cache.dtype)

        def run() -> Tensor:
            output: Tensor = layer(x, rotation, step)
            return output

        return run

    def wait(self) -> None:
        """Until the device has done what was launched."""
        if self._cache.device.type == "cuda":
            torch.cuda.synchronize(self._cache.device)

    def error(self, layer: FusedLayer, rows: int) -> float:
        """How far the fused layer is from the plain one, as a share of the output's size."""
        plain = self.compute(layer.plain, rows)().double()
        return float((self.compute(layer, rows)().double() - plain).norm() / plain.norm())


def _row_product_is_faster(layer: FusedLayer, probe: Probe, record: Record) -> bool:
    times = []
    for reads_rows in (True, False):
        layer.reads_rows = reads_rows
        replay, _ = record(probe.compute(layer, 1))
        replay()
        probe.wait()
        began = time.perf_counter()
        for _ in range(_REPLAYS):
            replay()
        probe.wait()
        times.append(time.perf_counter() - began)
    log.info("a layer takes %.1f us by our product, %.1f us by PyTorch's", *_per_replay(times))
    return times[0] <= times[1]


def _per_replay(times: list[float]) -> list[float]:
    return [1e6 * taken / _REPLAYS for taken in times]
