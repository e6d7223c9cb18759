"""What rounding the weights to int8 and int4 costs in exactness.

    python tests/benchmarks/engine_quantization.py [--stories FOLDER] [--layers 4]

First each linear layer of Llama-3.2-1B's shapes by itself, with normal weights and with weights of
heavy tails (Student's t, 4 degrees of freedom): the relative error of its output against float64.
Beside Postil's rounding stand plain rounding to the nearest of 16 steps in the same groups, and
llama.cpp's Q4_0 and Q8_0 by their definition.

Then whole models: one of those shapes with few layers and random weights, and, with `--stories`, a
real small Llama (stories260K; the folder with its config.json) on its own greedy text. Reported are
the mean Kullback-Leibler divergence from the unrounded model's next-token distribution, how often
the likeliest token is the same, the perplexity, and the relative error of the logits. That model's
inputs of 172 fit no group, so some of its layers are int8 in the int4 row.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from engine_cpu_models import SHAPES, write_checkpoint
from torch import Tensor

from inference.config import ModelConfig
from inference.linear.int4 import int4_linear
from inference.linear.int8 import int8_linear
from inference.linear.interface import Quantization
from inference.linear.quantize import quantize_int4, quantize_int8
from inference.models.registry import load_model
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice

LAYER_SHAPES = ((3072, 2048), (2048, 2048), (16_384, 2048), (2048, 8192))
BLOCK_SIZE = 16
TOKENS = 256


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=Path, help="folder of stories260K")
    parser.add_argument("--layers", type=int, default=4)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    print_layers()
    print(f"\n{'':24}{'KL':>12}{'same top 1':>12}{'perplexity':>12}{'logit error':>13}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        write_checkpoint(folder, {**SHAPES["llama-1b"], "num_hidden_layers": arguments.layers})
        ids = torch.randint(1, 128_000, (TOKENS,)).tolist()
        print_model(f"random, {arguments.layers} layers", folder, ids)
    if arguments.stories is not None:
        golden = json.loads((arguments.stories.parent / "golden_greedy.json").read_text())
        print_model("stories260K", arguments.stories, golden["greedy_token_ids"])


def print_layers() -> None:
    """Print the error of single layers."""
    print(f"{'output error of a layer':40}" + "".join(f"{s!s:>16}" for s in LAYER_SHAPES))
    for weights, draw in (
        ("normal", torch.randn),
        ("heavy tails", lambda *size: torch.distributions.StudentT(4.0).sample(size)),
    ):
        for name, answer in WAYS.items():
            errors = []
            for rows, columns in LAYER_SHAPES:
                weight, x = draw(rows, columns), torch.randn(8, columns)
                exact = x.double() @ weight.double().T
                errors.append(((answer(weight, x) - exact).norm() / exact.norm()).item())
            print(f"{weights + ': ' + name:40}" + "".join(f"{one:16.4f}" for one in errors))


def _plain_int4(weight: Tensor, x: Tensor) -> Tensor:
    groups = weight.view(weight.shape[0], -1, 64)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = (high - low) / 15
    zero = (-low / scale).round()
    codes = ((groups / scale).round() + zero).clamp(0, 15)
    return x @ ((codes - zero) * scale).flatten(1).T


def _q4_0(weight: Tensor, x: Tensor) -> Tensor:
    blocks = weight.view(weight.shape[0], -1, 32)
    most = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = (most / -8).half().float()
    codes = (blocks / scale + 8.5).floor().clamp(0, 15) - 8
    return _q8_blocks(x) @ (codes * scale).flatten(1).T


def _q8_0(weight: Tensor, x: Tensor) -> Tensor:
    return _q8_blocks(x) @ _q8_blocks(weight).T


def _q8_blocks(values: Tensor) -> Tensor:
    blocks = values.view(values.shape[0], -1, 32)
    scale = (blocks.abs().amax(-1, keepdim=True) / 127).half().float()
    return ((blocks / scale).round() * scale).flatten(1)


WAYS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bfloat16": lambda weight, x: (x.bfloat16() @ weight.bfloat16().T).float(),
    "int8": lambda weight, x: int8_linear(quantize_int8(weight))(x),
    "int8, weights alone": lambda weight, x: x @ quantize_int8(weight).dequantize().T,
    "Q8_0 of llama.cpp": _q8_0,
    "int4": lambda weight, x: int4_linear(quantize_int4(weight, 64))(x),
    "int4, weights alone": lambda weight, x: x @ quantize_int4(weight, 64).dequantize().T,
    "int4, plain rounding, weights alone": _plain_int4,
    "Q4_0 of llama.cpp": _q4_0,
}


def print_model(name: str, folder: Path, ids: list[int]) -> None:
    """Print how far a rounded model's predictions are from the whole one's."""
    exact = _logits(folder, "none", torch.float32, ids)
    stored = ModelConfig.from_folder(folder).stored_dtype
    rows: list[tuple[str, Tensor]] = [("none", exact)]
    if stored == torch.bfloat16:
        rows.append(("bfloat16", _logits(folder, "none", torch.bfloat16, ids)))
    rows += [(way, _logits(folder, way, torch.float32, ids)) for way in ("int8", "int4")]
    target = torch.tensor(ids[1:])
    likely = exact.log_softmax(-1)
    for way, logits in rows:
        tried = logits.log_softmax(-1)
        divergence = (likely.exp() * (likely - tried)).sum(-1).mean().item()
        same = (logits.argmax(-1) == exact.argmax(-1)).double().mean().item()
        perplexity = (-tried[:-1].gather(1, target[:, None]).mean()).exp().item()
        error = ((logits - exact).norm() / exact.norm()).item()
        print(
            f"{name + ', ' + way:24}{divergence:12.6f}{same:12.4f}{perplexity:12.4f}{error:13.4f}"
        )


def _logits(folder: Path, way: Quantization, dtype: torch.dtype, ids: list[int]) -> Tensor:
    """The logits at every position, in float64."""
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as cache:
        scratch = Path(cache) / "model"
        scratch.mkdir()
        for path in folder.iterdir():  # the rounded weights are not to be kept beside the model
            if path.is_file():
                (scratch / path.name).symlink_to(path.resolve())
        model = load_model(scratch, device=device, dtype=dtype, quantization=way)
    blocks = list(range(-(-len(ids) // BLOCK_SIZE)))
    runner = ModelRunner(
        model, num_blocks=len(blocks), block_size=BLOCK_SIZE, device=device, dtype=dtype
    )
    return runner.run([SequenceSlice(ids, 0, blocks, len(ids))]).double()


if __name__ == "__main__":
    main()
