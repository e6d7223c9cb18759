from __future__ import annotations

from pathlib import Path

import tree_checks


def _project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "project"


def _complaints(root: Path) -> list[str]:
    return tree_checks.path_complaints(root, tree_checks.project_files(root))


def test_a_home_folder_is_found_with_its_line(tmp_path: Path) -> None:
    folder = "/" + "home/ann/"  # in two pieces, or this file would be found too
    root = _project(tmp_path, {"core/a.py": f"first = 1\nBOOKS = '{folder}books'\n"})

    assert _complaints(root) == [f"core/a.py:2: a machine's own path: {folder}"]


def test_the_checkout_itself_is_found(tmp_path: Path) -> None:
    root = _project(tmp_path, {"README.md": ""})
    (root / "README.md").write_text(f"see {root}/docs\n")

    assert len(_complaints(root)) == 1


def test_ordinary_paths_and_binary_files_pass(tmp_path: Path) -> None:
    root = _project(
        tmp_path,
        {
            "app/a.py": "path = 'tests/app/a.py'; url = 'https://example.org/home/ann'\n",
            "tests/output/log.txt": "/" + "home/ann/",
            "build/lib/a.py": "/" + "home/ann/",
        },
    )
    (root / "core").mkdir()
    (root / "core" / "a.bin").write_bytes(b"\0/" + b"home/ann/")

    assert _complaints(root) == []


def test_folders_that_must_not_be_packages(tmp_path: Path) -> None:
    root = _project(tmp_path, {"packaging/__init__.py": "", "core/__init__.py": ""})

    assert tree_checks.init_complaints(root) == [
        "packaging/__init__.py: this folder must not be a package"
    ]


def test_this_project_passes() -> None:
    assert tree_checks.main() == 0
