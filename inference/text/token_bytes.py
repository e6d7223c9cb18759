"""The bytes that each token stands for.

A decoder of `tokenizer.json` turns token strings into text. Those of every family that the engine
serves come down to a table from token to bytes, laid end to end and read as UTF-8, with at most one
leading space taken away. Such a table serves streaming, log-probabilities and grammars alike, and
streams in constant time per token; `tokenizers.decoders.DecodeStream` raises an error
("Invalid prefix") on sequences of byte-fallback tokens that are not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import UnsupportedModelError

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class ByteDecoder:
    """How one tokenizer's tokens become bytes.

    Attributes:
        to_bytes: from a token's string in the vocabulary to its bytes.
        strips_leading_space: whether a text's first space is the tokenizer's own (SentencePiece's
            dummy prefix, as in Llama 2 and Mistral) and no part of the text.
    """

    to_bytes: Callable[[str], bytes]
    strips_leading_space: bool


def byte_decoder(decoder: Mapping[str, Any] | None) -> ByteDecoder:
    """Understand the `decoder` of a `tokenizer.json`.

    Args:
        decoder: as read from JSON.

    Raises:
        UnsupportedModelError: a decoder of a kind that no supported family has.
    """
    steps = _steps(decoder)
    kinds = [str(step.get("type")) for step in steps]
    known = {"ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"}
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        name = ", ".join(unknown) or "none"
        raise UnsupportedModelError(f"The tokenizer's decoder ({name}) is not supported.")
    if "ByteLevel" in kinds:
        return ByteDecoder(_byte_level, strips_leading_space=False)
    return ByteDecoder(
        _pieces(_replacements(steps), byte_fallback="ByteFallback" in kinds),
        strips_leading_space=any(map(_strips_leading_space, steps)),
    )


def _steps(decoder: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    if decoder is None:
        return []
    if decoder.get("type") == "Sequence":
        return [step for inner in decoder.get("decoders", ()) for step in _steps(inner)]
    return [decoder]


def _replacements(steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for step in steps:
        if step["type"] == "Metaspace":
            found.append((str(step.get("replacement", "▁")), " "))
        elif step["type"] == "Replace":
            pattern = step.get("pattern", {})
            if "String" not in pattern:
                raise UnsupportedModelError("The tokenizer's decoder replaces by an expression.")
            found.append((str(pattern["String"]), str(step.get("content", ""))))
    return found


def _strips_leading_space(step: Mapping[str, Any]) -> bool:
    if step["type"] == "Metaspace":
        return str(step.get("prepend_scheme", "always")) != "never"
    return bool(step["type"] == "Strip" and step.get("content") == " " and step.get("start"))


def _pieces(replacements: list[tuple[str, str]], *, byte_fallback: bool) -> Callable[[str], bytes]:
    def to_bytes(token: str) -> bytes:
        for old, new in replacements:
            token = token.replace(old, new)
        if byte_fallback and (byte := _BYTE_TOKEN.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        return token.encode()

    return to_bytes


def _byte_level_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes (openai/gpt-2, `bytes_to_unicode`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


_ALPHABET = _byte_level_alphabet()


def _byte_level(token: str) -> bytes:
    """A byte-level token's bytes; an added token outside the alphabet is its own text."""
    try:
        return bytes(_ALPHABET[character] for character in token)
    except KeyError:
        return token.encode()
