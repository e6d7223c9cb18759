"""Which encoding a text file is in.

The ladder: byte order mark; UTF-16 and UTF-32 without one, by where their zero bytes lie;
ISO-2022-JP by its escape sequences; UTF-8, which other text hardly ever satisfies by chance; then
the legacy encoding under which a sample of the file reads most like text
(`character_models`: naive Bayes over character frequencies).
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import BadBookError, DamagedBookError
from rag.parsing.text_codecs import text_codec
from rag.parsing.txt.character_models import CANDIDATES, cost_bits

_BOMS = (  # UTF-32 before UTF-16: one's mark begins with the other's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD_BYTES = 4096
_SAMPLE_BYTES = 8192
_MARGIN_BYTES = 256  # of ASCII before the first other byte of a line
_LINE_END = re.compile(rb"[\r\n]+")
_UTF8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_ISO_2022_JP = re.compile(rb"\x1b(?:\$[@B]|\([JI])")
# Control characters that a text does not hold; form feed, escape and ^Z (end of file) do occur.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_MAX_CONTROL_SHARE = 0.01
# Damaged text keeps its encoding while at most this share of the bytes past ASCII is bad.
_MAX_BAD_SHARE = 0.02
_BAD_BYTE_BITS = 40.0


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a file's bytes become text.

    Attributes:
        encoding: Python's name of the codec, with a byte order where it has one.
        bom_bytes: length of the byte order mark, 0 without one.
    """

    encoding: str
    bom_bytes: int = 0


def unit_size(encoding: str) -> int:
    """Return the bytes of a code unit: 4 for UTF-32, 2 for UTF-16, else 1."""
    return {"utf-32": 4, "utf-16": 2}.get(encoding[:6], 1)


def find_decoding(data: bytes, encoding: str | None = None) -> Decoding:
    """Say how to decode `data`: as `encoding`, where the reader names one, else as it looks.

    Raises:
        BadBookError: `encoding` is not the name of a text encoding.
        DamagedBookError: the bytes are no text in any encoding.
    """
    if encoding is not None:
        return _named_decoding(data, encoding)
    for mark, name in _BOMS:
        if data.startswith(mark):
            return Decoding(name, len(mark))
    if wide := _wide_encoding(data[:_HEAD_BYTES]):
        return Decoding(wide)
    _refuse_binary(data)
    if data.isascii() and _ISO_2022_JP.search(data, 0, _SAMPLE_BYTES):
        return Decoding("iso2022_jp")
    if _is_utf8(data):
        return Decoding("utf-8")
    return Decoding(_likeliest(data))


def _named_decoding(data: bytes, name: str) -> Decoding:
    codec = text_codec(name.strip())
    if codec is None or codec == "utf-7":  # whose shifts may run over a line end
        raise BadBookError(
            f"“{name}” is not the name of a text encoding. Names such as utf-8, cp1251, gb18030,"
            " big5 or shift_jis are known."
        )
    base = "utf-8" if codec == "utf-8-sig" else codec
    for mark, marked in _BOMS:
        if data.startswith(mark) and marked.startswith(base):
            return Decoding(marked, len(mark))
    return Decoding(f"{base}-le" if base in ("utf-16", "utf-32") else base)


def _wide_encoding(head: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 by the places of their zero bytes (spaces and line ends)."""
    if b"\0" not in head:
        return None
    zeros = [head[place::4].count(0) / max(1, len(head) // 4) for place in range(4)]
    for name, upper in (("utf-32-le", zeros[2:]), ("utf-32-be", zeros[:2])):
        if min(upper) > 0.9 and _reads_as_wide(head, name):
            return name
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    for name, low, high in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if high > 0.02 and low < high / 20 and _reads_as_wide(head, name):
            return name
    return None


def _reads_as_wide(head: bytes, name: str) -> bool:
    text = head[: len(head) // 4 * 4].decode(name, errors="replace")
    odd = sum(not (character.isprintable() or character.isspace()) for character in text)
    return odd <= len(text) * _MAX_CONTROL_SHARE and any(c.isspace() for c in text)


def _refuse_binary(data: bytes) -> None:
    head = data[:_SAMPLE_BYTES]
    if len(_CONTROLS.findall(head)) > len(head) * _MAX_CONTROL_SHARE:
        raise DamagedBookError(
            "The file is not text: it holds control characters throughout, as programs, pictures"
            " and archives do."
        )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        sample = _sample(data)
        good = sum(len(found) for found in _UTF8_SEQUENCE.findall(sample))
        return len(_NOT_ASCII.findall(sample)) - good <= good * _MAX_BAD_SHARE
    return True


def _likeliest(data: bytes) -> str:
    """Return the legacy encoding under which a sample of `data` costs the fewest bits."""
    sample = _sample(data)
    best, fewest = CANDIDATES[0], math.inf
    for candidate in CANDIDATES:
        text = sample.decode(candidate.encoding, errors="replace")
        bits = candidate.prior_bits + text.count("\ufffd") * _BAD_BYTE_BITS
        if bits < fewest and (bits := bits + cost_bits(text, candidate)) < fewest:
            best, fewest = candidate, bits
    return best.encoding


def _sample(data: bytes) -> bytes:
    """Return lines that are not ASCII, from the beginning and from the middle of `data`."""
    middle = _LINE_END.search(data, len(data) // 2)
    places = (0, middle.end()) if middle else (0,)
    return b"\n".join(part for place in places for part in _sample_lines(data, place))


def _sample_lines(data: bytes, position: int) -> Iterator[bytes]:
    """Yield lines that are not ASCII, the long ones cut, from the line start at `position` on."""
    size = 0
    while size < _SAMPLE_BYTES // 2 and (found := _NOT_ASCII.search(data, position)):
        begin = max(position, found.start() - _MARGIN_BYTES)
        begin = max(begin, 1 + max(data.rfind(mark, begin, found.start()) for mark in b"\r\n"))
        line_end = _LINE_END.search(data, found.start())
        position = line_end.end() if line_end else len(data)
        line = data[begin : min(position, begin + _SAMPLE_BYTES // 2)]
        size += len(line)
        yield line
