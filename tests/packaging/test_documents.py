from __future__ import annotations

import re
from pathlib import Path

import module_map
import pytest
from bootstrap import ROOT

DOCUMENTS = sorted(ROOT.glob("*.md"))


def test_the_map_names_every_module() -> None:
    text = module_map.DOCUMENT.read_text(encoding="utf-8")

    assert text == module_map.with_map(text), "run: python packaging/module_map.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)]+)\)", document.read_text(encoding="utf-8"))

    for link in links:
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_s_commands_exist() -> None:
    import typer

    from app.cli.entry import application

    command = typer.main.get_command(application)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"(?:\$|`)\s*postil ([a-z][a-z-]+)", text))

    assert {"add", "ask", "endpoints", "rebuild-index"} <= told
    assert told <= set(command.commands)
