"""Small tokenizers of the kinds that models come with, trained on the spot."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from inference.text.tokenizer import Tokenizer

CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKER_TOKENS = ("<think>", "</think>", "<tool_call>", "</tool_call>")

_TEXT = (
    "The quick brown fox jumps over the lazy dog, and then it said: hello there, world. ",
    '{"name": "value", "other": [1, 2.5, true, false, null], "nested": {"a": "b"}} ',
    "我们的猫在桌子上睡觉。你好，世界！ مرحبا بالعالم كيف حالك naïve café über ",
)


@cache
def byte_level_tokenizer(vocab_size: int = 600) -> Tokenizer:
    """A tokenizer as of GPT-2, Llama 3 and Qwen; ChatML's tokens are special, tags are not."""
    fast = FastTokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fast.train_from_iterator(_TEXT, trainer)
    fast.add_special_tokens(list(CHATML_TOKENS))
    fast.add_tokens(list(MARKER_TOKENS))
    return Tokenizer(fast.to_str(), {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})


@cache
def byte_fallback_tokenizer(vocab_size: int = 500) -> Tokenizer:
    """A tokenizer as of Llama 2 and Mistral: a space before every text, bytes for rare letters."""
    fast = FastTokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    fast.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    fast.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[*special, *byte_tokens], show_progress=False
    )
    fast.train_from_iterator(_TEXT[:2], trainer)
    definition: dict[str, Any] = json.loads(fast.to_str())
    definition["added_tokens"] = [
        token for token in definition["added_tokens"] if token["content"] in special
    ]
    config = {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
    return Tokenizer(json.dumps(definition), config)
