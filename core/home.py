"""Where everything is kept on disk."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from core.books import Book
from core.errors import StorageError

HOME_VARIABLE = "POSTIL_HOME"
MODEL_CACHE_VARIABLE = "POSTIL_MODEL_CACHE"
_APPLICATION = "Postil"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    """The one folder that holds all that Postil writes, except the model cache.

    Attributes:
        root: the folder; it need not exist yet.
    """

    root: Path

    @classmethod
    def locate(cls, path: Path | None = None) -> Home:
        """Return the home at `path`, else where POSTIL_HOME says, else the system's usual place."""
        chosen = path or _path_from_environment(HOME_VARIABLE)
        if chosen is None:
            chosen = Path(platformdirs.user_data_dir(_APPLICATION, appauthor=False))
        return cls(chosen.expanduser().absolute())

    @property
    def library_dir(self) -> Path:
        """The library: its database, books, covers and vector indexes."""
        return self.root / "library"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.library_dir / "postil.db"

    @property
    def books_dir(self) -> Path:
        """Copies of the source files, named by their content hash."""
        return self.library_dir / "books"

    @property
    def covers_dir(self) -> Path:
        """Cover pictures."""
        return self.library_dir / "covers"

    @property
    def index_dir(self) -> Path:
        """Vector indexes: a cache that can be made anew from the database."""
        return self.library_dir / "index"

    @property
    def logs_dir(self) -> Path:
        """Log files."""
        return self.root / "logs"

    @property
    def secrets_dir(self) -> Path:
        """Encrypted keys, where the system has no keyring. Only the owner may read it."""
        return self.root / "secrets"

    def source_of(self, book: Book) -> Path:
        """The library's copy of a book's source file; it may be gone."""
        return self.books_dir / book.content_hash

    def files_of(self, book: Book) -> list[Path]:
        """All files that belong to a book; some may be gone."""
        cover = [] if book.cover_name is None else [self.covers_dir / book.cover_name]
        return [self.source_of(book), *cover]

    def remove_files_of(self, book: Book) -> None:
        """Remove the files of a book that has left the library.

        A file that the system does not let go of, as Windows does not while it is open elsewhere,
        is logged and stays: nothing refers to it any more.
        """
        for path in self.files_of(book):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("could not remove %s: %s", path, error)

    def prepare(self) -> None:
        """Create the folders that are missing.

        Raises:
            StorageError: a folder cannot be created, or the library's cannot be written.
        """
        try:
            for folder in (self.books_dir, self.covers_dir, self.index_dir, self.logs_dir):
                folder.mkdir(parents=True, exist_ok=True)
            self.secrets_dir.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"Postil cannot use the folder {self.root}: {error.strerror or error}. "
                "Choose another folder, or make this one writable."
            ) from error
        if not os.access(self.library_dir, os.W_OK):
            raise StorageError(
                f"Postil may not write in {self.library_dir}. "
                "Choose another folder, or make this one writable."
            )


def model_cache_dir() -> Path:
    """Return where models are kept: where POSTIL_MODEL_CACHE says, else the user's cache folder."""
    chosen = _path_from_environment(MODEL_CACHE_VARIABLE)
    if chosen is None:
        chosen = Path(platformdirs.user_cache_dir(_APPLICATION, appauthor=False)) / "models"
    return chosen.expanduser().absolute()


def _path_from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value) if value else None
