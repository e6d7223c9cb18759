"""Turns the bundled weights into an ONNX model that onnxruntime runs well.

This takes a few seconds and about half a gigabyte once, so `rag.embedding.model_files` runs it as
a program of its own: `python -m rag.embedding.build FOLDER int8`.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import get_args

import numpy as np

from core.errors import EmbeddingError
from rag.embedding.bundled import verified_weights
from rag.embedding.catalogue import Precision

BUILDER_VERSION = 3
"""Grows whenever the models made here change."""

MODEL_FILE = "model.onnx"

_MAX_TOKENS = 256  # what the model was trained with (sentence_bert_config.json)
_COPIED_FILES = ("config.json", "tokenizer.json", "special_tokens_map.json")

log = logging.getLogger(__name__)


def build_model(folder: Path, precision: Precision) -> None:
    """Write the model and the files of its tokenizer into an empty folder.

    Raises:
        EmbeddingError: the weights are missing or damaged.
        OSError: the folder cannot be written.
    """
    weights = verified_weights()
    if precision == "float32":
        _write_float32(weights, folder / MODEL_FILE)
    else:
        full = folder / "float32.onnx"
        _write_float32(weights, full)
        _quantise(full, folder / MODEL_FILE)
        full.unlink()
    for name in _COPIED_FILES:
        shutil.copyfile(weights.parent / name, folder / name)
    config = json.loads((weights.parent / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["model_max_length"] = _MAX_TOKENS
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def _write_float32(weights: Path, target: Path) -> None:
    import onnx
    from safetensors.numpy import load_file

    from rag.embedding.minilm_graph import BertShape, build_graph

    onnx.save(build_graph(load_file(weights), BertShape(max_tokens=_MAX_TOKENS)), target)


def _quantise(source: Path, target: Path) -> None:
    """Write the int8 form: weights per channel, activations per tensor as they come."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=_products_saturate(),
        # Shape inference does not know the fused operators, so the default says what they give.
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
    )


def _products_saturate() -> bool:
    """Say whether int8 products overflow here, as on x86 processors without VNNI.

    Their instruction (vpmaddubsw) adds two products of 8 bits in 16, so full-range weights would
    be clipped; 7 bits fit. The product of two extreme vectors shows it. The mean cosine
    with the original is then .992 instead of .994.
    """
    import onnxruntime
    from onnx import TensorProto, helper

    size = 64
    node = helper.make_node("MatMulInteger", ["a", "b"], ["product"])
    graph = helper.make_graph(
        [node],
        "saturation",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, [size, size]),
            helper.make_tensor_value_info("b", TensorProto.INT8, [size, size]),
        ],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [size, size])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = {
        "a": np.full((size, size), 255, dtype=np.uint8),
        "b": np.full((size, size), 127, dtype=np.int8),
    }
    (product,) = session.run(["product"], inputs)
    return bool(np.any(product != 255 * 127 * size))


def main(arguments: list[str]) -> int:
    """Build into a folder; a failure is one sentence on standard error and exit code 1."""
    folder, precision = arguments
    assert precision in get_args(Precision)
    # The quantiser advises on models exported by other means; nobody would read it here.
    logging.getLogger().setLevel(logging.ERROR)
    try:
        build_model(Path(folder), precision)  # type: ignore[arg-type]
    except (EmbeddingError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
