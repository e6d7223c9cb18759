"""Looks over the installation and the library: what `postil doctor` prints."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.composition import Postil, open_postil
from core.books import BookStatus
from core.errors import PostilError
from core.home import Home

log = logging.getLogger(__name__)

LOW_SPACE_BYTES = 500 * 1024**2
"""Below this the next large book may not fit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `detail` says what was seen, or what to do."""

    check: str
    ok: bool
    detail: str


def examine(home: Home) -> list[Finding]:
    """Look at everything; a check that fails does not keep the next from being made."""
    findings = [_home(home), _sqlite()]
    try:
        postil = open_postil(home)
    except PostilError as error:
        return [*findings, Finding("library", False, str(error))]
    try:
        checks: list[Callable[[Postil], Finding]] = [_books, _embedding, _index, _keys]
        findings.extend(_guarded(check, postil) for check in checks)
        findings.extend(_endpoints(postil))
    finally:
        postil.close()
    return findings


def _guarded(check: Callable[[Postil], Finding], postil: Postil) -> Finding:
    name = check.__name__.strip("_")
    try:
        return check(postil)
    except PostilError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # what is broken is what this is to find
        log.exception("the check of %s failed", name)
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _home(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free
    return Finding("home", free >= LOW_SPACE_BYTES, f"{home.root}, {free / 1024**3:.1f} GiB free")


def _sqlite() -> Finding:
    return Finding("sqlite", True, sqlite3.sqlite_version)


def _books(postil: Postil) -> Finding:
    books = postil.library.books.all()
    failed = [book for book in books if book.status is BookStatus.FAILED]
    missing = [book for book in books if not postil.home.source_of(book).exists()]
    detail = f"{len(books)} books, {len(failed)} failed, {len(missing)} without their source file"
    return Finding("books", not failed, detail)


def _embedding(postil: Postil) -> Finding:
    postil.embedder.warm_up()
    fingerprint = postil.embedder.fingerprint
    return Finding("embedding", True, f"{fingerprint.model}, {fingerprint.dimension} dimensions")


def _index(postil: Postil) -> Finding:
    held = len(postil.vectors.current())
    stored = postil.library.embeddings.count(postil.fingerprint)
    return Finding("index", held == stored, f"{held} vectors of {stored} embeddings")


def _keys(postil: Postil) -> Finding:
    return Finding("keys", True, postil.secrets.place)


def _endpoints(postil: Postil) -> Iterator[Finding]:
    for endpoint in postil.library.endpoints.all():
        where = "this machine" if endpoint.is_loopback else endpoint.host
        yield Finding("endpoint", True, f"{endpoint.name}: {endpoint.model} on {where}")
