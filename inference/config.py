"""What a model folder says about its model: `config.json` and `generation_config.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch

from inference.errors import ModelConfigError, ModelFolderError, UnsupportedModelError
from inference.model_folder import CONFIG_NAME, require_model_folder
from inference.rope_config import RopeConfig, read_rope

_MAX_CONFIG_BYTES = 16 << 20
_MAX_SIZE = 1 << 31

_STORED_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}

# Published folders leave out what their library takes for granted.
_TIED_UNLESS_SAID = ("gemma", "smollm3")
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "gemma3_text": {
        "vocab_size": 262_208,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
    },
    "smollm3": {"rope_theta": 2_000_000.0},
}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a model.

    Attributes:
        architecture: the class named in `config.json`, such as "LlamaForCausalLM".
        vocab_size: rows of the embedding; a tokenizer may use fewer.
        hidden_size: size of the residual stream.
        intermediate_size: width of the gated MLP.
        num_layers: decoder layers.
        num_heads: query heads.
        num_kv_heads: heads of keys and values; divides `num_heads`.
        head_dim: size of one head.
        context_tokens: most tokens that the model was made for, prompt and answer together.
        norm_epsilon: what keeps RMSNorm from dividing by zero.
        activation: of the MLP: "silu" or "gelu_tanh".
        rope: rotary positions; of the full-attention layers where there are two kinds.
        tie_embeddings: the output head is the embedding.
        stored_dtype: what `config.json` says that the weights are stored in.
        bos_token_id: begins every text, where the model wants it.
        eos_token_ids: each of them ends the answer.
        quantization: `quantization_config` as it stands, where the weights are quantised already.
        raw: the (text) model's part of `config.json`, for what only one family has.
    """

    architecture: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_tokens: int
    norm_epsilon: float
    activation: str
    rope: RopeConfig
    tie_embeddings: bool
    stored_dtype: torch.dtype
    bos_token_id: int | None = None
    eos_token_ids: tuple[int, ...] = ()
    quantization: Mapping[str, object] | None = None
    raw: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_folder(cls, folder: Path) -> ModelConfig:
        """Read a model folder.

        Raises:
            ModelFolderError: no such folder, or no model in it.
            ModelConfigError: `config.json` is not JSON, or contradicts itself.
            UnsupportedModelError: GGUF.
        """
        require_model_folder(folder)
        whole = _read_json(folder / CONFIG_NAME)
        generation_path = folder / "generation_config.json"
        generation = _read_json(generation_path) if generation_path.is_file() else {}
        return cls.from_mapping(whole, generation)

    @classmethod
    def from_mapping(
        cls, whole: Mapping[str, object], generation: Mapping[str, object] | None = None
    ) -> ModelConfig:
        """Read the contents of `config.json` and `generation_config.json`.

        Raises:
            ModelConfigError: a value is missing, or of the wrong kind or size.
        """
        raw = _text_part(whole)
        fields = ConfigFields(raw)
        num_heads = fields.size("num_attention_heads")
        num_kv_heads = fields.size("num_key_value_heads", num_heads)
        hidden_size = fields.size("hidden_size")
        if num_heads % num_kv_heads:
            raise ModelConfigError(
                f"config.json has {num_heads} attention heads, "
                f"which {num_kv_heads} key and value heads do not divide."
            )
        head_dim = fields.size("head_dim", hidden_size // num_heads)
        if head_dim % 2:
            raise ModelConfigError(f"config.json has an odd head_dim, {head_dim}.")
        max_positions = fields.size("max_position_embeddings")
        rope = read_rope(raw, head_dim=head_dim, max_positions=max_positions)
        quantization = fields.mapping("quantization_config") or ConfigFields(whole).mapping(
            "quantization_config"
        )
        return cls(
            architecture=_architecture(whole),
            vocab_size=fields.size("vocab_size"),
            hidden_size=hidden_size,
            intermediate_size=fields.size("intermediate_size"),
            num_layers=fields.size("num_hidden_layers"),
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            head_dim=head_dim,
            context_tokens=rope.context_tokens,
            norm_epsilon=fields.number("rms_norm_eps", 1e-6),
            activation=_activation(raw),
            rope=rope,
            tie_embeddings=_tied(raw, whole),
            stored_dtype=_stored_dtype(raw, whole),
            bos_token_id=next(iter(_token_ids("bos_token_id", generation or {}, raw, whole)), None),
            eos_token_ids=_token_ids("eos_token_id", generation or {}, raw, whole),
            quantization=quantization,
            raw=MappingProxyType(dict(raw)),
        )

    @property
    def fields(self) -> ConfigFields:
        """Checked access to `raw`."""
        return ConfigFields(self.raw)


class ConfigFields:
    """Reads values of `config.json`, which anybody may have written, and checks their kind."""

    def __init__(self, raw: Mapping[str, object]) -> None:
        self._raw = raw

    def size(self, key: str, default: int | None = None) -> int:
        """A whole number from 1 on."""
        value = self._raw.get(key)
        if value is None:
            value = default
        if value is None:
            raise ModelConfigError(f"config.json does not say {key}.")
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_SIZE:
            raise ModelConfigError(f"config.json has {key} = {value!r}, which is no size.")
        return value

    def optional_size(self, key: str) -> int | None:
        """A whole number from 1 on, or None where there is none."""
        return None if self._raw.get(key) is None else self.size(key)

    def count(self, key: str, default: int) -> int:
        """A whole number from 0 on."""
        return 0 if self._raw.get(key) == 0 else self.size(key, default)

    def number(self, key: str, default: float) -> float:
        """A finite number above 0."""
        value = self._raw.get(key)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ModelConfigError(f"config.json has {key} = {value!r}, which is no number.")
        if not (math.isfinite(value) and value > 0):
            raise ModelConfigError(f"config.json has {key} = {value!r}; it must be above 0.")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """A finite number above 0, or None where there is none."""
        return None if self._raw.get(key) is None else self.number(key, 0.0)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._raw.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ModelConfigError(f"config.json has {key} = {value!r}; it must be true or false.")
        return value

    def mapping(self, key: str) -> Mapping[str, object] | None:
        """A JSON object, or None where there is none."""
        value = self._raw.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ModelConfigError(f"config.json has {key} = {value!r}; it must be an object.")
        return value

    def items(self, key: str, count: int) -> list[object] | None:
        """A list with at least one value for each layer, or None where there is none."""
        value = self._raw.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) < count:
            raise ModelConfigError(f"config.json must list {key} for each of {count} layers.")
        return value


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelConfigError(f"{path.name} is too large to be a configuration.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelConfigError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ModelConfigError(f"{path} does not hold a JSON object.")
    return value


def _text_part(whole: Mapping[str, object]) -> Mapping[str, object]:
    """The text model's part, with what published folders leave out."""
    raw = ConfigFields(whole).mapping("text_config") or whole
    return {**_DEFAULTS.get(str(raw.get("model_type")), {}), **raw}


def _architecture(whole: Mapping[str, object]) -> str:
    architectures = whole.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        raise ModelConfigError("config.json does not say which architecture the model has.")
    return str(architectures[0])


def _activation(raw: Mapping[str, object]) -> str:
    name = raw.get("hidden_activation") or raw.get("hidden_act") or "silu"
    if str(raw.get("model_type")).startswith("gemma") or name == "gelu_pytorch_tanh":
        return "gelu_tanh"
    if name != "silu":
        raise UnsupportedModelError(f"The engine does not know the activation {name!r}.")
    return "silu"


def _tied(raw: Mapping[str, object], whole: Mapping[str, object]) -> bool:
    unless_said = str(raw.get("model_type")).startswith(_TIED_UNLESS_SAID)
    default = ConfigFields(whole).flag("tie_word_embeddings", default=unless_said)
    return ConfigFields(raw).flag("tie_word_embeddings", default=default)


def _stored_dtype(*parts: Mapping[str, object]) -> torch.dtype:
    for part in parts:
        name = part.get("dtype") or part.get("torch_dtype")
        if isinstance(name, str) and name in _STORED_DTYPES:
            return _STORED_DTYPES[name]
    return torch.float32


def _token_ids(key: str, *parts: Mapping[str, object]) -> tuple[int, ...]:
    """The ids that any of the parts names, each once, in order."""
    ids: dict[int, None] = {}
    for part in parts:
        value = part.get(key)
        for token_id in value if isinstance(value, list) else [value]:
            if token_id is None:
                continue
            if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
                raise ModelConfigError(f"The configuration has {key} = {value!r}.")
            ids[token_id] = None
    return tuple(ids)
