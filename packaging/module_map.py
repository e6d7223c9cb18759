"""Keeps the map in ARCHITECTURE.md true: one line for each module, from its docstring.

python packaging/module_map.py writes it anew; a test says when that is due.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "ARCHITECTURE.md"
_BEGIN, _END = "<!-- map: begin -->\n", "<!-- map: end -->\n"
_FOLDERS = ("app", "core", "rag", "inference", "resources", "packaging")


def main() -> None:
    """Write the map into the document."""
    DOCUMENT.write_text(with_map(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


def with_map(text: str) -> str:
    """Return the document's text with the map as it should be."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{''.join(_lines())}\n{_END}{after}"


def _lines() -> Iterator[str]:
    for name in _FOLDERS:
        yield from _folder_lines(ROOT / name)


def _folder_lines(folder: Path) -> Iterator[str]:
    """Yield a heading for a folder and a line for each module in it, then the folders in it."""
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    about = _summary(folder / "__init__.py")
    if modules or about:
        yield f"\n**{folder.relative_to(ROOT).as_posix()}/**{f' {about}' if about else ''}\n\n"
    for module in modules:
        yield f"- `{module.name}` {_summary(module)}\n"
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        if inner.name != "__pycache__":
            yield from _folder_lines(inner)


def _summary(module: Path) -> str:
    """Return the first paragraph of a module's docstring on one line, "" where there is none."""
    if not module.exists():
        return ""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


if __name__ == "__main__":
    main()
