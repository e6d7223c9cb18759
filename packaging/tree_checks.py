"""Checks on the files of the repository that no linter makes. Exits 1 and names what it finds."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_FOLDERS = (".ci", "app", "core", "inference", "packaging", "rag", "resources", "tests")
_TEST_OUTPUT = "tests/output/"

# A `packaging` package would hide PyPI's; `tests` is a folder of files, not a package.
_NO_INIT = ("packaging", "tests")

# Someone's home folder: a file that names one works on that machine only.
_HOME_FOLDER = r"/(?:home|Users)/[a-z][\w.-]*/|[A-Z]:[\\/]Users[\\/]\w"


def main() -> int:
    """Run the checks."""
    complaints = [*init_complaints(ROOT), *path_complaints(ROOT, project_files(ROOT))]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def project_files(root: Path) -> Iterator[Path]:
    """Yield the project's own files: not what tools, builds and test runs leave behind."""
    yield from (path for path in root.iterdir() if path.is_file())
    for folder in _FOLDERS:
        for path in (root / folder).rglob("*"):
            inside = path.relative_to(root).as_posix()
            if path.is_file() and not inside.startswith(_TEST_OUTPUT):
                yield path


def init_complaints(root: Path) -> list[str]:
    """Name each `__init__.py` at the top of a folder that must not be a package."""
    found = [root / folder / "__init__.py" for folder in _NO_INIT]
    return [
        f"{path.relative_to(root)}: this folder must not be a package"
        for path in found
        if path.exists()
    ]


def path_complaints(root: Path, files: Iterable[Path]) -> list[str]:
    """Name each line that holds a path of one machine: a home folder, or where this checkout is."""
    pattern = re.compile("|".join([_HOME_FOLDER, *map(_at_start, _places(root))]))
    return [
        f"{path.relative_to(root)}:{number}: a machine's own path: {found.group()}"
        for path in files
        if (text := _text(path)) is not None
        for number, line in enumerate(text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def _places(root: Path) -> list[Path]:
    """Where this checkout and this user's home are, but for places that any text may name."""
    common = {Path(root.anchor), Path(tempfile.gettempdir()).resolve()}
    return [place for place in (root, root.parent, Path.home()) if place.resolve() not in common]


def _at_start(place: Path) -> str:
    return rf"(?<![\w.~/-]){re.escape(place.as_posix())}/"


def _text(path: Path) -> str | None:
    """Return a file's text, None where it is not text."""
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


if __name__ == "__main__":
    sys.exit(main())
