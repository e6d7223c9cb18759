"""The engine on a CPU against transformers and llama.cpp, at 16, 8 and 4 bits.

    python tests/benchmarks/engine_cpu.py [--shape llama-1b] [--threads 2] [--rounds 3]

Random weights in the shapes of Llama-3.2-1B or Qwen3-0.6B, the same for all. Measured are decoding
(prompt of 64, answer of 128, less the same with an answer of one), prefill of 512 tokens, loading
from a warm page cache up to the first token, and the peak of memory above the process with
everything imported. Each engine has a process of its own; they take turns, and the best turn
counts, since other programs can only slow it down. Beside the wall clock stands the processor time
of all threads, which says more on a busy machine, most of all with `--threads 1`.

llama.cpp takes part where `llama_cpp` and `gguf` can be imported:

    CMAKE_BUILD_PARALLEL_LEVEL=2 pip install llama-cpp-python==0.3.36 gguf==0.19.0

Its Q4_0 and Q8_0 are written by its own quantiser, which keeps the tied embedding of Q4_0 in Q6_K;
Postil keeps it in int8. Needs 10 GB of disk and memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine_cpu_models import SHAPES, quantize_gguf, write_checkpoint, write_gguf
from engine_cpu_peers import Loaded, Peer, Spent

PROMPT_TOKENS = 64
PREFILL_TOKENS = 512
GGUF_OF_BITS = {"bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}


class Figures(NamedTuple):
    """Tokens per second by the clock and by processor time; what loading took."""

    decode: float
    decode_cpu: float
    prefill: float
    prefill_cpu: float
    loaded: Loaded


def main() -> None:
    """Measure one shape and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="llama-1b")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bits", nargs="+", choices=GGUF_OF_BITS, default=list(GGUF_OF_BITS))
    parser.add_argument("--answer", type=int, default=128, help="tokens of an answer")
    parser.add_argument("--without-transformers", action="store_true")
    parser.add_argument("--folder", type=Path, help="where models are kept for the next run")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        measure(arguments.folder, arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        measure(Path(scratch), arguments)


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Measure all engines and print their figures and the ratios that are asked for."""
    shape = SHAPES[arguments.shape]
    checkpoint = folder / arguments.shape
    if not checkpoint.is_dir():
        write_checkpoint(checkpoint, shape)
    files = _gguf_files(checkpoint, shape, arguments.bits)
    weight_bytes = (checkpoint / "model.safetensors").stat().st_size
    print(
        f"{arguments.shape}, {arguments.threads} threads, {weight_bytes / 1e9:.2f} GB in bfloat16"
    )
    found: dict[str, Figures] = {}
    for bits in arguments.bits:
        found |= _measure_bits(bits, checkpoint, files.get(bits), arguments)
    _print_table(found, weight_bytes)
    _print_ratios(found)


def _gguf_files(
    checkpoint: Path, shape: Mapping[str, object], bits: Sequence[str]
) -> Mapping[str, Path]:
    if not all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf")):
        print("llama.cpp is left out: llama_cpp and gguf cannot be imported.")
        return {}
    files = {one: checkpoint.with_suffix(f".{GGUF_OF_BITS[one]}.gguf") for one in GGUF_OF_BITS}
    if not files["bf16"].is_file():
        write_gguf(checkpoint, shape, files["bf16"])
    for one in bits:
        if not files[one].is_file():
            quantize_gguf(files["bf16"], files[one], GGUF_OF_BITS[one])
    return {one: files[one] for one in bits}


def _measure_bits(
    bits: str, checkpoint: Path, gguf: Path | None, arguments: argparse.Namespace
) -> Mapping[str, Figures]:
    threads = arguments.threads
    quantization = "none" if bits == "bf16" else bits
    _warm(checkpoint / "model.safetensors")
    if bits != "bf16":  # the first load rounds the weights, the second finds them
        first = Peer(f"postil {bits}", "postil", checkpoint, threads, quantization)
        print(f"postil {bits}: first load {first.loaded.spent.wall_s:.1f} s")
        first.close()
    peers = [Peer(f"postil {bits}", "postil", checkpoint, threads, quantization)]
    if bits == "bf16" and not arguments.without_transformers:
        peers.append(Peer("transformers bf16", "transformers", checkpoint, threads))
    if gguf is not None:
        _warm(gguf)
        peers.append(Peer(f"llama.cpp {GGUF_OF_BITS[bits]}", "llama.cpp", gguf, threads))
    _print_agreement(peers)
    spent: dict[tuple[str, str], list[Spent]] = {}
    for turn in range(arguments.rounds):
        for peer in peers if turn % 2 == 0 else reversed(peers):
            for what, prompt, tokens in (
                ("one", PROMPT_TOKENS, 1),
                ("all", PROMPT_TOKENS, arguments.answer),
                ("prefill", PREFILL_TOKENS, 1),
            ):
                ids = [1 + (7 * at + turn) % 250 for at in range(prompt)]
                spent.setdefault((peer.name, what), []).append(peer.generate(ids, tokens))
    for peer in peers:
        peer.close()
    return {peer.name: _figures(peer, spent, arguments.answer) for peer in peers}


def _figures(
    peer: Peer, spent: Mapping[tuple[str, str], list[Spent]], answer_tokens: int
) -> Figures:
    def best(what: str, field: str) -> float:
        return min(getattr(one, field) for one in spent[peer.name, what])

    decode = {
        field: (answer_tokens - 1) / (best("all", field) - best("one", field))
        for field in ("wall_s", "cpu_s")
    }
    return Figures(
        decode["wall_s"],
        decode["cpu_s"],
        PREFILL_TOKENS / best("prefill", "wall_s"),
        PREFILL_TOKENS / best("prefill", "cpu_s"),
        peer.loaded,
    )


def _warm(path: Path) -> None:
    """Bring a file into the page cache."""
    with path.open("rb") as stream:
        while stream.read(16 << 20):
            pass


def _print_agreement(peers: Sequence[Peer]) -> None:
    """Print how far the peers' logits lie apart: they must be the same model."""
    ids = [1 + at % 250 for at in range(PROMPT_TOKENS)]
    first = peers[0].logits(ids)
    for peer in peers[1:]:
        other = peer.logits(ids)
        dot = sum(a * b for a, b in zip(first, other, strict=True))
        cosine = dot / math.sqrt(sum(a * a for a in first) * sum(b * b for b in other))
        print(f"{peers[0].name} / {peer.name}: cosine of the logits {cosine:.5f}")


def _print_table(found: Mapping[str, Figures], weight_bytes: int) -> None:
    print(
        f"\n{'':20}{'decode tokens/s':>22}{'prefill tokens/s':>22}"
        f"{'first token s':>15}{'memory / bf16 weights':>24}"
    )
    print(f"{'':20}{'wall':>12}{'cpu':>10}{'wall':>12}{'cpu':>10}{'':15}{'peak':>14}{'steady':>10}")
    for name, one in found.items():
        print(
            f"{name:20}{one.decode:12.2f}{one.decode_cpu:10.2f}{one.prefill:12.1f}"
            f"{one.prefill_cpu:10.1f}{one.loaded.spent.wall_s:15.2f}"
            f"{one.loaded.peak_bytes / weight_bytes:14.2f}"
            f"{one.loaded.steady_bytes / weight_bytes:10.2f}"
        )


def _print_ratios(found: Mapping[str, Figures]) -> None:
    print(f"\n{'':42}{'decode wall':>12}{'cpu':>7}{'prefill wall':>15}{'cpu':>7}")
    pairs = [(f"postil {bits}", f"llama.cpp {kind}") for bits, kind in GGUF_OF_BITS.items()]
    pairs += [(f"postil {bits}", "transformers bf16") for bits in GGUF_OF_BITS]
    for ours, theirs in pairs:
        if ours in found and theirs in found:
            us, them = found[ours], found[theirs]
            print(
                f"{f'{ours} / {theirs}':42}{us.decode / them.decode:12.2f}"
                f"{us.decode_cpu / them.decode_cpu:7.2f}{us.prefill / them.prefill:15.2f}"
                f"{us.prefill_cpu / them.prefill_cpu:7.2f}"
            )


if __name__ == "__main__":
    main()
