from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models

from inference.errors import ModelConfigError, ModelFolderError, UnsupportedModelError
from inference.text.tokenizer import Tokenizer
from support.tokenizer_files import byte_fallback_tokenizer, byte_level_tokenizer


def save(folder: Path, tokenizer: Tokenizer, **files: object) -> Path:
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_reads_what_the_files_say(tmp_path: Path) -> None:
    folder = save(
        tmp_path,
        byte_level_tokenizer(),
        tokenizer_config={"bos_token": None, "eos_token": {"content": "<|im_end|>"}},
        special_tokens_map={"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
        generation_config={"eos_token_id": [5, 6]},
        config={"eos_token_id": 6},
    )
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer.bos_token is None
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.named_token("pad_token") == "<|endoftext|>"
    assert tokenizer.eos_token_ids == (5, 6, tokenizer.token_id("<|im_end|>"))
    assert tokenizer.vocab_size == tokenizer.fast.get_vocab_size()


@pytest.mark.parametrize("other", ["tokenizer.model", "vocab.json"])
def test_says_that_a_slow_tokenizer_alone_is_not_supported(tmp_path: Path, other: str) -> None:
    (tmp_path / other).write_text("{}")
    with pytest.raises(ModelFolderError, match=rf"no tokenizer\.json.*{other}.*not supported"):
        Tokenizer.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer.json", '{"version": "1.0"}'),
        ("tokenizer_config.json", "["),
        ("tokenizer_config.json", "[]"),
        ("generation_config.json", "nonsense"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: str) -> None:
    save(tmp_path, byte_level_tokenizer())
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelConfigError, match=name.split(".", maxsplit=1)[0]):
        Tokenizer.from_folder(tmp_path)


def test_refuses_decoders_that_it_does_not_know() -> None:
    fast = FastTokenizer(models.BPE())
    with pytest.raises(UnsupportedModelError, match="none"):
        Tokenizer(fast.to_str())
    fast.decoder = decoders.WordPiece()
    with pytest.raises(UnsupportedModelError, match="WordPiece"):
        Tokenizer(fast.to_str())


def test_never_two_begins_of_text() -> None:
    tokenizer = byte_fallback_tokenizer()
    plain = tokenizer.encode("hello", special=False)
    assert tokenizer.bos_token_id is not None
    assert tokenizer.encode("hello") == [tokenizer.bos_token_id, *plain]
    twice = tokenizer.encode("<s><s>hello")
    assert twice.count(tokenizer.bos_token_id) == 1
    assert tokenizer.encode("hello", special=False)[0] != tokenizer.bos_token_id


def test_text_and_bytes_of_single_tokens() -> None:
    tokenizer = byte_fallback_tokenizer()
    byte = tokenizer.token_id("<0xE4>")
    assert byte is not None
    assert tokenizer.token_text(byte) == ("\ufffd", b"\xe4")
    assert tokenizer.token_text(tokenizer.encode("the", special=False)[0]).text.startswith(" ")
    level = byte_level_tokenizer()
    end = level.token_id("<|im_end|>")
    assert end is not None
    assert level.token_text(end) == ("<|im_end|>", b"<|im_end|>")
    ids = level.encode("你好 é")
    assert b"".join(level.token_text(one).data for one in ids) == "你好 é".encode()
