"""Whether a book is locked: encrypted by a shop or a library."""

from __future__ import annotations

from collections.abc import Iterable

from core.errors import DamagedBookError, ProtectedBookError
from rag.parsing.epub.archive import Archive, resolve_reference
from rag.parsing.epub.markup import attribute, local_name, parse_markup

_ENCRYPTION = "META-INF/encryption.xml"
_SCHEMES = (
    ("META-INF/license.lcpl", "Readium LCP"),
    ("META-INF/sinf.xml", "Apple FairPlay"),
    ("META-INF/rights.xml", "Adobe DRM"),
    ("rights.xml", "Kobo DRM"),
)
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def refuse_protected(archive: Archive, pages: Iterable[str]) -> None:
    """Raise ProtectedBookError if a page of the book is really encrypted.

    Scrambled fonts and pictures do not matter, and neither does a list of encrypted files that was
    left behind in a book whose pages are readable.
    """
    encrypted = _encrypted_entries(archive)
    for page in pages:
        if page in encrypted and not _looks_like_markup(_read(archive, page)):
            scheme = next((name for entry, name in _SCHEMES if archive.find(entry)), "")
            raise ProtectedBookError(
                f"The book is locked by copy protection{f' ({scheme})' if scheme else ''}, so its "
                "text cannot be read. Open it in the application it was bought for, or add a copy "
                "without protection."
            )


def _encrypted_entries(archive: Archive) -> set[str]:
    name = archive.find(_ENCRYPTION)
    root = None if name is None else parse_markup(_read(archive, name))
    encrypted: set[str] = set()
    for node in () if root is None else root.iter():
        if local_name(node) == "cipherreference":
            target = resolve_reference("", attribute(node, "URI"))
            if target and (found := archive.find(target.name)):
                encrypted.add(found)
    return encrypted


def _read(archive: Archive, name: str) -> bytes:
    try:
        return archive.read(name)
    except DamagedBookError:
        return b""  # not for protection to say


def _looks_like_markup(data: bytes) -> bool:
    for mark in _BOMS:
        data = data.removeprefix(mark)
    return data[:256].replace(b"\0", b"").lstrip()[:1] in (b"<", b"")
