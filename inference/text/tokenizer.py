"""From text to token ids and back, as the model's folder says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer as FastTokenizer

from inference.errors import ModelConfigError, ModelFolderError
from inference.text.stream_decoder import StreamDecoder
from inference.text.token_bytes import byte_decoder

# Special tokens that mean something to whoever reads the answer (reasoning, tool calls): they stay
# in the text, where other special tokens are left out.
_KEPT_IN_TEXT = frozenset(
    {
        "<think>", "</think>", "[THINK]", "[/THINK]",
        "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<|python_tag|>",
    }
)  # fmt: skip


class TokenText(NamedTuple):
    """What a token stands for: its text (U+FFFD for parts of characters) and its exact bytes."""

    text: str
    data: bytes


class Tokenizer:
    """A `tokenizer.json` with what the files beside it say of its special tokens.

    Attributes:
        vocab_size: one more than the highest token id. The model's logits may be wider (padding).
        bos_token: begins a text; None: the model has none.
        eos_token: ends a text; None: the model has none.
        bos_token_id: id of `bos_token`.
        eos_token_ids: every token that ends an answer, of the tokenizer and the generation config.
        special_token_ids: tokens that are left out of decoded text.
        added_tokens: from content to id, of the special tokens and of others added whole.
        special_tokens: those of `added_tokens` marked as special.
        hidden_tokens: those of `special_tokens` that are left out of decoded text.
        config: `tokenizer_config.json`.
        fast: the library's tokenizer; leave it as it is.
    """

    def __init__(
        self,
        definition: str,
        config: Mapping[str, Any] | None = None,
        *,
        eos_token_ids: Sequence[int] = (),
    ) -> None:
        """Build from the files' contents.

        Args:
            definition: `tokenizer.json`.
            config: `tokenizer_config.json`, over `special_tokens_map.json`.
            eos_token_ids: what `generation_config.json` and `config.json` say.

        Raises:
            ModelConfigError: not a tokenizer.
            UnsupportedModelError: a decoder that the engine does not know.
        """
        try:
            self.fast = FastTokenizer.from_str(definition)
        except Exception as error:  # the library raises Exception itself
            raise ModelConfigError(f"tokenizer.json cannot be read: {error}") from error
        self.fast.no_truncation()
        self.fast.no_padding()
        self.config: Mapping[str, Any] = dict(config or {})
        decoder = byte_decoder(_decoder_of(self.fast))
        self.strips_leading_space = decoder.strips_leading_space
        self._to_bytes = decoder.to_bytes
        self._bytes_of: dict[int, bytes] = {}

        added = self.fast.get_added_tokens_decoder()
        size = self.fast.get_vocab_size(with_added_tokens=True)
        self.vocab_size = max([size, *(token_id + 1 for token_id in added)])
        self.added_tokens = {token.content: token_id for token_id, token in added.items()}
        self.special_tokens = frozenset(token.content for token in added.values() if token.special)
        self.hidden_tokens = self.special_tokens - _KEPT_IN_TEXT
        self.special_token_ids = frozenset(
            self.added_tokens[content] for content in self.hidden_tokens
        )
        self.bos_token = self.named_token("bos_token")
        self.eos_token = self.named_token("eos_token")
        self.bos_token_id = self._id_of(self.bos_token)
        own_eos = self._id_of(self.eos_token)
        ends = [*eos_token_ids, *([] if own_eos is None else [own_eos])]
        self.eos_token_ids: tuple[int, ...] = tuple(dict.fromkeys(ends))

    @classmethod
    def from_folder(cls, path: Path) -> Tokenizer:
        """Read a model folder's tokenizer.

        Args:
            path: folder with `tokenizer.json` and, if there, `tokenizer_config.json`,
                `special_tokens_map.json`, `generation_config.json` and `config.json`.

        Raises:
            ModelFolderError: no `tokenizer.json`.
            ModelConfigError: a file that is no JSON, or no tokenizer.
            UnsupportedModelError: a decoder that the engine does not know.
        """
        file = path / "tokenizer.json"
        if not file.is_file():
            slow = [name for name in ("tokenizer.model", "vocab.json") if (path / name).is_file()]
            reason = f" A slow tokenizer alone ({slow[0]}) is not supported." if slow else ""
            raise ModelFolderError(f"There is no tokenizer.json in {path}.{reason}")
        try:
            definition = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelConfigError(f"{file} cannot be read: {error}") from error
        config = _read_object(path / "special_tokens_map.json")
        config.update(_read_object(path / "tokenizer_config.json"))
        ends: list[int] = []
        for name in ("generation_config.json", "config.json"):
            ends += _as_ids(_read_object(path / name).get("eos_token_id"))
        return cls(definition, config, eos_token_ids=ends)

    @property
    def adds_space(self) -> bool:
        """Whether encoding puts a space before a text that has none."""
        first = self.fast.encode("x", add_special_tokens=False).ids[:1]
        return bool(first) and self.token_bytes(first[0]).startswith(b" ")

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Turn text into token ids. The names of special tokens in it become those tokens.

        Args:
            text: any text. Where it may not name special tokens, see `MarkerGuard`.
            special: add what the tokenizer puts around a text (its begin-of-text token, never
                a second time).
        """
        # In a batch, since that lets other threads run meanwhile; `encode` by itself does not.
        ids: list[int] = self.fast.encode_batch_fast([text], add_special_tokens=special)[0].ids
        if special and self.bos_token_id is not None:
            ids = self._with_one_bos(ids, self.bos_token_id)
        return ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn token ids into text, without special tokens; just as streaming them does."""
        decoder = StreamDecoder(self)
        return decoder.push(token_ids) + decoder.flush()

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token stands for; none for ids that the tokenizer does not know."""
        found = self._bytes_of.get(token_id)
        if found is None:
            token = self.fast.id_to_token(token_id) if token_id >= 0 else None
            found = b"" if token is None else self._to_bytes(token)
            self._bytes_of[token_id] = found
        return found

    def token_text(self, token_id: int) -> TokenText:
        """A token by itself, for log-probabilities; special tokens by their names."""
        data = self.token_bytes(token_id)
        return TokenText(data.decode(errors="replace"), data)

    def token_id(self, token: str) -> int | None:
        """The id of a token named as in the vocabulary; None: there is no such token."""
        found: int | None = self.fast.token_to_id(token)
        return found

    def named_token(self, name: str) -> str | None:
        """What the configuration calls, for instance, "pad_token"; None: nothing."""
        return _token_content(self.config.get(name))

    def to_json(self) -> str:
        """The whole `tokenizer.json`."""
        return str(self.fast.to_str())

    def _with_one_bos(self, ids: list[int], bos: int) -> list[int]:
        count = 0
        while count < len(ids) and ids[count] == bos:
            count += 1
        if self.config.get("add_bos_token") is True:
            return [bos, *ids[count:]]
        return ids[max(0, count - 1) :]

    def _id_of(self, token: str | None) -> int | None:
        return None if token is None else self.token_id(token)


def _token_content(token: object) -> str | None:
    """A token as configurations write it: a string, or an object with its content."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) and token else None


def _as_ids(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [entry for entry in values if isinstance(entry, int) and not isinstance(entry, bool)]


def _read_object(file: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is no file.

    Raises:
        ModelConfigError: not a JSON object.
    """
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelConfigError(f"{file} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelConfigError(f"{file} does not hold a JSON object.")
    return value


def _decoder_of(fast: FastTokenizer) -> dict[str, Any] | None:
    """The decoder as `tokenizer.json` writes it."""
    if fast.decoder is None:
        return None
    written: dict[str, Any] = json.loads(fast.decoder.__getstate__())
    return written
