"""`embedding`, run as another program would run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import postil

TALE = "CHAPTER I\n\nThe keeper lit the lamp each evening, and his parrot named the ships.\n"


@pytest.mark.model
def test_books_are_embedded_anew_before_the_model_changes(tmp_path: Path) -> None:
    tale = tmp_path / "tale.txt"
    tale.write_text(TALE, encoding="utf-8")
    home = tmp_path / "home"
    assert postil("add", tale, home=home).code == 0
    used = postil("embedding", "use", "all-MiniLM-L6-v2-fp32", "--json", home=home)
    assert used.code == 0, used.stderr
    assert used.json_lines[-1]["passages"] == 1
    listed = postil("embedding", "list", "--json", home=home).json
    assert [model["name"] for model in listed if model["in_use"]] == ["all-MiniLM-L6-v2-fp32"]
    found = postil("search", "light", "--mode", "meaning", "--json", home=home)
    assert "lamp" in found.json[0]["text"]
    assert postil("doctor", home=home).code == 0


def test_an_unknown_model_changes_nothing(tmp_path: Path) -> None:
    used = postil("embedding", "use", "no-such-model", home=tmp_path)
    assert used.code == 1
    assert "all-MiniLM-L6-v2" in used.stderr
    listed = postil("embedding", "list", "--json", home=tmp_path).json
    assert [model["name"] for model in listed if model["in_use"]] == ["all-MiniLM-L6-v2"]
