"""Checkpoints with random weights for `engine_cpu.py`, as safetensors and as GGUF."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from engine_cpu_peers import quiet_llama_cpp
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

_COMMON: Mapping[str, object] = {
    "max_position_embeddings": 2048,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "bos_token_id": None,
    "eos_token_id": 0,
    "attention_bias": False,
}
SHAPES: Mapping[str, Mapping[str, object]] = {
    "llama-1b": {
        **_COMMON,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 128_256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
    },
    "qwen3-0.6b": {
        **_COMMON,
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
    },
    "tiny": {
        **_COMMON,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 512,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
    },
}


def write_checkpoint(folder: Path, shape: Mapping[str, object]) -> None:
    """Write config.json, tokenizer.json and model.safetensors with normal weights in bfloat16."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dict(shape)))
    _write_tokenizer(folder)
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, size in _tensor_shapes(shape):
        if len(size) == 1:
            tensors[name] = torch.ones(size, dtype=torch.bfloat16)
        else:
            tensors[name] = torch.empty(size, dtype=torch.bfloat16)
            tensors[name].normal_(0.0, 0.02, generator=generator)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def write_gguf(folder: Path, shape: Mapping[str, object], path: Path) -> None:
    """Write the same weights as GGUF in BF16, without a vocabulary."""
    import gguf
    from safetensors import safe_open

    kind = str(shape["model_type"])
    number = {key: value for key, value in shape.items() if isinstance(value, int | float)}
    writer = gguf.GGUFWriter(path, kind)
    writer.add_context_length(int(number["max_position_embeddings"]))
    writer.add_embedding_length(int(number["hidden_size"]))
    writer.add_block_count(int(number["num_hidden_layers"]))
    writer.add_feed_forward_length(int(number["intermediate_size"]))
    writer.add_head_count(int(number["num_attention_heads"]))
    writer.add_head_count_kv(int(number["num_key_value_heads"]))
    writer.add_key_length(int(number["head_dim"]))
    writer.add_value_length(int(number["head_dim"]))
    writer.add_rope_dimension_count(int(number["head_dim"]))
    writer.add_layer_norm_rms_eps(number["rms_norm_eps"])
    writer.add_rope_freq_base(number["rope_theta"])
    writer.add_vocab_size(int(number["vocab_size"]))
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    names = gguf.get_tensor_name_map(
        gguf.MODEL_ARCH.LLAMA if kind == "llama" else gguf.MODEL_ARCH.QWEN3,
        int(number["num_hidden_layers"]),
    )
    with safe_open(folder / "model.safetensors", "pt") as source:
        for name, _ in _tensor_shapes(shape):
            tensor = source.get_tensor(name)
            if kind == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
                tensor = _in_pairs(tensor, int(number["head_dim"]))
            target = names.get_name(name, try_suffixes=(".weight",))
            if tensor.dim() == 1:
                writer.add_tensor(target, tensor.float().numpy())
            else:
                raw = tensor.contiguous().view(torch.uint8).numpy()
                writer.add_tensor(target, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    writer.close()


def quantize_gguf(source: Path, target: Path, kind: str) -> None:
    """Round a GGUF file by llama.cpp's own quantiser, as its users do."""
    import llama_cpp

    quiet_llama_cpp()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = {
        "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
        "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    }[kind]
    failed = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(parameters)
    )
    if failed:
        raise RuntimeError(f"llama.cpp did not write {target}")


def _tensor_shapes(shape: Mapping[str, object]) -> Iterator[tuple[str, tuple[int, ...]]]:
    size = {key: value for key, value in shape.items() if isinstance(value, int)}
    hidden, inner, head = size["hidden_size"], size["intermediate_size"], size["head_dim"]
    query = size["num_attention_heads"] * head
    key = size["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", (size["vocab_size"], hidden)
    for index in range(size["num_hidden_layers"]):
        prefix = f"model.layers.{index}."
        yield f"{prefix}input_layernorm.weight", (hidden,)
        yield f"{prefix}self_attn.q_proj.weight", (query, hidden)
        yield f"{prefix}self_attn.k_proj.weight", (key, hidden)
        yield f"{prefix}self_attn.v_proj.weight", (key, hidden)
        yield f"{prefix}self_attn.o_proj.weight", (hidden, query)
        if shape["model_type"] == "qwen3":
            yield f"{prefix}self_attn.q_norm.weight", (head,)
            yield f"{prefix}self_attn.k_norm.weight", (head,)
        yield f"{prefix}post_attention_layernorm.weight", (hidden,)
        yield f"{prefix}mlp.gate_proj.weight", (inner, hidden)
        yield f"{prefix}mlp.up_proj.weight", (inner, hidden)
        yield f"{prefix}mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)


def _in_pairs(weight: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Order the rows of each head as llama.cpp rotates them: neighbours, not halves."""
    heads = weight.view(-1, 2, head_dim // 2, weight.shape[1])
    return heads.transpose(1, 2).reshape(weight.shape)


def _write_tokenizer(folder: Path) -> None:
    """Write a tokenizer of single bytes: only token ids are measured."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|end|>": 0} | {symbol: at + 1 for at, symbol in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
