"""How often a text file's encoding is found, and how fast text files are parsed.

    POSTIL_CORPUS=DIR python tests/benchmarks/texts.py

The first table takes chardet's samples (the folder names the encoding) and the Universal
Declaration of Human Rights (the file's name does), whole and as excerpts of some hundred bytes, and
counts those that decode to the same text as with the named encoding; characters that two names of
one encoding map differently (the JIS wave dash) count as the same. The peer is charset-normalizer
as it comes. The second table is the parser's speed on the longest books, one core, CPU time.
"""

from __future__ import annotations

import codecs
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.errors import BadBookError
from rag.parsing.txt import parse_txt
from rag.parsing.txt.encodings import find_decoding

_SAME = str.maketrans("〜−―‖", "～－—∥")
_FOLDERS = {"MacCyrillic": "mac_cyrillic", "TIS-620": "cp874"}
_NAMES = {"Latin1": "cp1252", "Latin2": "cp1250", "Cyrillic": "cp1251", "EUC": "euc_jp",
          "Turkish": "cp1254", "UTF8": "utf-8"}  # fmt: skip
_EXCERPTS_BYTES = (120, 400, 2000)
_BOOKS = 8


def _samples(corpus: Path) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of each sample and the encoding its folder or name tells."""
    for file in sorted((corpus / "txt/encodings/chardet").glob("*/*")):
        name = _FOLDERS.get(file.parent.name, file.parent.name)
        while not _is_codec(name):
            name = name.rpartition("-")[0]
        yield file.read_bytes(), name
    for file in sorted((corpus / "txt/encodings/udhr").iterdir()):
        if (name := file.name.rpartition("-")[2]) in _NAMES:
            yield file.read_bytes(), _NAMES[name]


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _excerpt(data: bytes, size: int) -> bytes:
    """Return about `size` bytes of whole lines that are not ASCII."""
    lines = [line for line in data.splitlines() if not line.isascii()]
    excerpt = b""
    if lines:
        for line in lines[random.randrange(len(lines)) :]:
            excerpt += line + b"\n"
            if len(excerpt) >= size:
                break
    return excerpt


def _postil(data: bytes) -> str:
    try:
        decoding = find_decoding(data)
    except BadBookError:
        return ""
    return data[decoding.bom_bytes :].decode(decoding.encoding, errors="replace")


def _charset_normalizer(data: bytes) -> str:
    import charset_normalizer

    best = charset_normalizer.from_bytes(data).best()
    return data.decode(best.encoding if best else "latin-1", errors="replace").lstrip("\ufeff")


def _compare_encodings(corpus: Path) -> None:
    random.seed(0)
    samples = list(_samples(corpus))
    legacy = [(data, name) for data, name in samples if not name.casefold().startswith("utf")]
    sets = {"whole files": samples} | {
        f"excerpts of {size} bytes": [
            (excerpt, name) for data, name in legacy if (excerpt := _excerpt(data, size))
        ]
        for size in _EXCERPTS_BYTES
    }
    finders: tuple[Callable[[bytes], str], ...] = (_postil, _charset_normalizer)
    for title, chosen in sets.items():
        print(f"{title} ({len(chosen)})")
        for finder in finders:
            start = time.process_time()
            right = sum(
                finder(data).translate(_SAME)
                == data.decode(name, errors="replace").lstrip("\ufeff").translate(_SAME)
                for data, name in chosen
            )
            spent_ms = (time.process_time() - start) / len(chosen) * 1000
            print(f"  {finder.__name__[1:]:20} {right / len(chosen):6.1%}  {spent_ms:6.1f} ms each")


def _measure_speed(corpus: Path) -> None:
    books = sorted(corpus.glob("txt/??/*.txt"), key=lambda path: -path.stat().st_size)[:_BOOKS]
    for path in books:
        start = time.process_time()
        book = parse_txt(path, name=path.name)
        spent_s = time.process_time() - start
        characters = len(book.text)
        print(
            f"  {path.name[:48]:48} {characters:9,} characters {spent_s:5.2f} s"
            f" {characters / spent_s / 1e6:5.1f} M/s"
        )


def main() -> int:
    """Print both tables."""
    folder = os.environ.get("POSTIL_CORPUS")
    if not folder:
        print("set POSTIL_CORPUS to the corpus", file=sys.stderr)
        return 2
    _compare_encodings(Path(folder))
    print("parsing")
    _measure_speed(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
