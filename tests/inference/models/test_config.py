"""What config.json may look like: the forms of all times, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.config import ModelConfig
from inference.errors import ModelConfigError, ModelFolderError, UnsupportedModelError
from inference.layers.rope_scaling import frequencies
from support.parity import load, paged_logits
from support.parity import make_runner as runner_of
from support.tiny_models import TINY_MODELS, VOCAB_SIZE

_LLAMA: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
# As published with Gemma 3 of 4 billion parameters, which leaves much out.
_GEMMA3_PUBLISHED = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "eos_token_id": [1, 106],
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
    "torch_dtype": "bfloat16",
}


def _old_form(config: dict[str, Any]) -> dict[str, Any]:
    """The same configuration as transformers wrote it before version 5."""
    parameters = config.pop("rope_parameters")
    if "full_attention" in parameters:
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    config["rope_theta"] = parameters.pop("rope_theta")
    if "partial_rotary_factor" in parameters:
        config["partial_rotary_factor"] = parameters.pop("partial_rotary_factor")
    kind = parameters.pop("rope_type")
    if kind == "longrope":
        kind = "su"
    config["rope_scaling"] = None if kind == "default" else {"type": kind, **parameters}
    return config


@pytest.mark.parametrize(
    "tiny",
    [tiny for tiny in TINY_MODELS if "rope" in tiny.name or tiny.family in ("phi3", "gemma3")]
    + [tiny for tiny in TINY_MODELS if tiny.name == "qwen2-yarn"],
    ids=lambda tiny: tiny.name,
)
def test_the_old_form_means_the_same(tiny: Any, tmp_path: Path) -> None:
    folder = tiny.write(tmp_path)
    token_ids = [3 + index % (VOCAB_SIZE - 3) for index in range(40)]
    new = paged_logits(runner_of(load(folder, max_model_len=tiny.max_model_len)), token_ids, [40])

    path = folder / "config.json"
    config = json.loads(path.read_text())
    if "text_config" in config:
        config["text_config"] = _old_form(config["text_config"])
    else:
        config = _old_form(config)
    path.write_text(json.dumps(config))
    old = paged_logits(runner_of(load(folder, max_model_len=tiny.max_model_len)), token_ids, [40])
    assert torch.equal(old, new)


def test_what_published_folders_leave_out() -> None:
    config = ModelConfig.from_mapping(_GEMMA3_PUBLISHED, {"eos_token_id": [1, 106]})
    assert config.architecture == "Gemma3ForConditionalGeneration"
    assert (config.num_heads, config.num_kv_heads, config.head_dim) == (8, 4, 256)
    assert config.vocab_size == 262_208
    assert config.context_tokens == 131_072
    assert config.tie_embeddings
    assert config.activation == "gelu_tanh"
    assert config.stored_dtype == torch.bfloat16
    assert config.eos_token_ids == (1, 106)
    assert (config.rope.kind, config.rope.theta) == ("linear", 1_000_000.0)


def test_the_ends_of_text_of_both_files() -> None:
    config = ModelConfig.from_mapping(
        {**_LLAMA, "eos_token_id": 2, "bos_token_id": 1}, {"eos_token_id": [5, 2]}
    )
    assert config.eos_token_ids == (5, 2)
    assert config.bos_token_id == 1


def test_yarn_reaches_as_far_as_it_stretches() -> None:
    """Qwen 2.5 says so in its model card and leaves max_position_embeddings as it was."""
    scaling = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
    config = ModelConfig.from_mapping({**_LLAMA, "rope_scaling": scaling})
    assert config.context_tokens == 512


def test_long_and_short_factors_go_by_the_served_context(tmp_path: Path) -> None:
    tiny = next(tiny for tiny in TINY_MODELS if tiny.name == "phi3-long")
    rope = ModelConfig.from_folder(tiny.write(tmp_path)).rope
    short, short_scale = frequencies(rope, rope.original_positions)
    long, long_scale = frequencies(rope, rope.original_positions + 1)
    assert not torch.equal(short, long)
    assert short_scale == long_scale > 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1.0},
        {"rope_type": "linear"},
        {"rope_type": "linear", "factor": 1e-300},
        {"rope_type": "dynamic", "factor": 2.0, "partial_rotary_factor": 0.125},
        {"rope_type": "llama3", "factor": 8.0},
        {
            "rope_type": "longrope",
            "short_factor": [1.0] * 8,
            "long_factor": [1.0] * 8,
            "original_max_position_embeddings": 1,
        },
        {"rope_theta": 5e-324},
    ],
)
def test_rotary_positions_that_cannot_be(parameters: dict[str, Any]) -> None:
    config = ModelConfig.from_mapping({**_LLAMA, "rope_parameters": parameters})
    with pytest.raises(ModelConfigError, match="rope"):
        frequencies(config.rope, 256)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": None}, "vocab_size"),
        ({"vocab_size": 0}, "no size"),
        ({"vocab_size": -5}, "no size"),
        ({"vocab_size": "100"}, "no size"),
        ({"vocab_size": True}, "no size"),
        ({"hidden_size": 1 << 40}, "no size"),
        ({"num_key_value_heads": 3}, "do not divide"),
        ({"head_dim": 15}, "odd head_dim"),
        ({"rms_norm_eps": "tiny"}, "no number"),
        ({"rms_norm_eps": float("nan")}, "above 0"),
        ({"architectures": None}, "which architecture"),
        ({"architectures": []}, "which architecture"),
        ({"attention_bias": "yes"}, None),
        ({"rope_theta": -1.0}, "above 0"),
        ({"rope_parameters": [1]}, "rope parameters"),
        ({"rope_scaling": {"type": "longrope", "factor": 2.0}}, "factors of longrope"),
        ({"rope_scaling": {"type": "longrope", "long_factor": ["a"]}}, "list of numbers"),
        ({"rope_parameters": {"partial_rotary_factor": 7.0}}, "rotates"),
        ({"eos_token_id": "</s>"}, "eos_token_id"),
        ({"eos_token_id": [-1]}, "eos_token_id"),
        ({"text_config": 5}, "must be an object"),
        ({"tie_word_embeddings": "no"}, "true or false"),
    ],
)
def test_configurations_that_contradict_themselves(
    changes: dict[str, Any], message: str | None
) -> None:
    if message is None:
        config = ModelConfig.from_mapping({**_LLAMA, **changes})
        with pytest.raises(ModelConfigError):
            config.fields.flag(next(iter(changes)))
        return
    with pytest.raises(ModelConfigError, match=message):
        ModelConfig.from_mapping({**_LLAMA, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "relu"},
        {"rope_scaling": {"type": "mrope"}},
    ],
)
def test_what_the_engine_does_not_have(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModelError, match="does not know"):
        ModelConfig.from_mapping({**_LLAMA, **changes})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, "\ufeff{}", '{"a": NaN'])
def test_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelConfigError):
        ModelConfig.from_folder(tmp_path)


def test_a_config_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ModelConfigError):
        ModelConfig.from_folder(tmp_path)


def test_no_folder_and_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no folder"):
        ModelConfig.from_folder(tmp_path / "nowhere")
    with pytest.raises(ModelFolderError, match="no model"):
        ModelConfig.from_folder(tmp_path)


def test_gguf(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    for target in (path, tmp_path):
        with pytest.raises(UnsupportedModelError, match="GGUF"):
            ModelConfig.from_folder(target)
