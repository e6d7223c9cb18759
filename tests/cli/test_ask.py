"""`ask` and `endpoints`, run as another program would run them, against a scripted server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import postil
from support.endpoint import ScriptedEndpoint, error, scripted_endpoint, stream

TALE = """\
CHAPTER I. The Hill

On the hill above the harbour stood a lighthouse, and in it lived Tomas, who kept the lamp. His only
friend was a grey parrot called Mistral, who could say the names of the ships.

CHAPTER II. The Storm

In November a storm broke the great glass, and the schooner Halcyon came too near the rocks. Tomas
swung his own lantern until morning. The captain brought him a barrel of oranges in thanks.
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ask")
    tale = folder / "The Keeper.txt"
    tale.write_text(TALE, encoding="utf-8")
    added = postil("add", tale, home=folder / "home")
    assert added.code == 0, added.stderr
    return folder / "home"


@pytest.fixture
def server() -> Iterator[ScriptedEndpoint]:
    with scripted_endpoint() as endpoint:
        yield endpoint


def text_of(home: Path) -> str:
    return postil("text", "1", home=home).stdout


def add_endpoint(home: Path, server: ScriptedEndpoint, name: str) -> None:
    added = postil(
        "endpoints", "add", name, "--url", server.url, "--model", "scripted", "--key-stdin",
        home=home, stdin="sk-secret-of-the-reader\n",
    )  # fmt: skip
    assert added.code == 0, added.stderr


def test_counts_are_exact_and_stop_at_the_boundary(library: Path) -> None:
    text = text_of(library)
    count = len(re.findall(r"\bTomas\b", text))
    second = text.index("Tomas", text.index("Tomas") + 1)

    asked = postil("ask", "How often is Tomas named?", "--json", home=library)
    assert asked.code == 0, asked.stderr
    assert f"{count} times" in asked.json["answer"]
    assert [cited["quote"] for cited in asked.json["citations"]] == [
        text[cited["start"] : cited["end"]] for cited in asked.json["citations"]
    ]

    limited = postil(
        "ask", "How often is Tomas named?", "--book", "1", "--up-to", str(second), "--json",
        home=library,
    )  # fmt: skip
    assert "once" in limited.json["answer"]
    assert all(cited["end"] <= second for cited in limited.json["citations"])

    never = postil("ask", "How often is Ahab named?", home=library)
    assert never.code == 3
    assert "Ahab does not stand in the library." in never.stdout


def test_chapters_are_listed_up_to_the_boundary(library: Path) -> None:
    listed = postil("ask", "List the chapters", "--book", "1", home=library)
    assert listed.code == 0, listed.stderr
    assert "The Hill" in listed.stdout
    assert "The Storm" in listed.stdout

    start = text_of(library).index("CHAPTER II")
    limited = postil("ask", "List the chapters", "--book", "1", "--up-to", str(start), home=library)
    assert "The Hill" in limited.stdout
    assert "The Storm" not in limited.stdout


def test_passages_answer_without_a_model(library: Path) -> None:
    asked = postil("ask", "Who was Mistral?", "--no-model", "--json", home=library)
    assert asked.code == 0, asked.stderr
    answer = asked.json
    assert set(answer) == {"answer", "citations", "answered", "model", "trace"}
    assert answer["answered"] is True
    assert answer["model"] is None
    text = text_of(library)
    for citation in answer["citations"]:
        assert set(citation) == {"book_id", "chapter", "start", "end", "quote"}
        assert citation["quote"] == text[citation["start"] : citation["end"]]
    assert any("parrot" in citation["quote"] for citation in answer["citations"])


def test_what_the_books_do_not_say(library: Path) -> None:
    question = "Which programming language did the Venusian senate adopt?"
    asked = postil("ask", question, "--no-model", "--json", home=library)
    assert asked.code == 3
    assert asked.json["answered"] is False


def test_an_empty_library_has_no_answer(tmp_path: Path) -> None:
    asked = postil("ask", "Who was Mistral?", "--json", home=tmp_path)
    assert asked.code == 3
    assert asked.json["answered"] is False


def test_a_models_quotes_are_the_books(library: Path, server: ScriptedEndpoint) -> None:
    add_endpoint(library, server, "verified")
    server.script(
        stream(
            "The parrot was Mistral: ",
            "“a grey parrot called Mistral” [1]. ",
            "It also said “never in the book at all, not one word of it” [1].",
        )
    )
    asked = postil("ask", "Who was Mistral?", "--endpoint", "verified", "--json", home=library)
    assert asked.code == 0, asked.stderr
    answer = asked.json
    assert answer["model"] == "scripted"
    assert "“a grey parrot called Mistral”" in answer["answer"]
    assert "“never in the book" not in answer["answer"]
    text = text_of(library)
    assert all(
        citation["quote"] == text[citation["start"] : citation["end"]]
        for citation in answer["citations"]
    )
    (request,) = [request for request in server.requests if "completions" in request.path]
    assert request.headers["authorization"] == "Bearer sk-secret-of-the-reader"
    assert request.body["model"] == "scripted"


def test_nothing_beyond_the_boundary_is_sent_or_shown(
    library: Path, server: ScriptedEndpoint
) -> None:
    add_endpoint(library, server, "boundary")
    server.script(stream("The captain gave him “a barrel of oranges in thanks” [1]."))
    boundary = text_of(library).index("CHAPTER II")
    asked = postil(
        "ask", "What did the captain bring?", "--book", "1", "--up-to", str(boundary),
        "--endpoint", "boundary", "--json", home=library,
    )  # fmt: skip
    assert asked.code in (0, 3), asked.stderr
    assert "oranges" not in str([request.body for request in server.requests])
    assert "“a barrel of oranges in thanks”" not in asked.json["answer"]
    assert all(citation["end"] <= boundary for citation in asked.json["citations"])


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_an_endpoint_that_refuses(library: Path, server: ScriptedEndpoint, status: int) -> None:
    add_endpoint(library, server, f"refusing-{status}")
    server.script(error(status, {"error": {"message": "no"}}))
    asked = postil(
        "ask", "Who was Mistral?", "--endpoint", f"refusing-{status}", "--json", home=library
    )
    assert asked.code == 1
    assert f"refusing-{status}" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert "sk-secret" not in asked.stderr


def test_an_endpoint_that_is_not_there(library: Path) -> None:
    postil("endpoints", "add", "gone", "--url", "http://127.0.0.1:9", "--model", "m", home=library)
    asked = postil("ask", "Who was Mistral?", "--endpoint", "gone", home=library)
    assert asked.code == 1
    assert "gone" in asked.stderr
    unknown = postil("ask", "Who was Mistral?", "--endpoint", "never-added", home=library)
    assert unknown.code == 1


class TestEndpoints:
    def test_add_list_remove(self, tmp_path: Path) -> None:
        added = postil(
            "endpoints", "add", "far", "--url", "https://models.example/v1", "--model", "m-1",
            "--context", "32768", home=tmp_path,
        )  # fmt: skip
        assert added.code == 0
        assert "models.example" in added.stderr
        again = postil(
            "endpoints", "add", "far", "--url", "https://other.example", "--model", "m",
            home=tmp_path,
        )  # fmt: skip
        assert again.code == 1
        listed = postil("endpoints", "list", "--json", home=tmp_path)
        assert listed.json == [
            {"name": "far", "url": "https://models.example/v1", "model": "m-1", "context": 32768}
        ]
        assert postil("endpoints", "remove", "far", home=tmp_path).code == 0
        assert postil("endpoints", "list", "--json", home=tmp_path).json == []
        assert postil("endpoints", "remove", "far", home=tmp_path).code == 1

    def test_loopback_needs_no_notice(self, tmp_path: Path) -> None:
        added = postil(
            "endpoints", "add", "near", "--url", "http://localhost:11434/v1", "--model", "m",
            home=tmp_path,
        )  # fmt: skip
        assert (added.code, added.stderr) == (0, "")

    def test_the_key_is_nowhere_in_plain_sight(
        self, tmp_path: Path, server: ScriptedEndpoint
    ) -> None:
        add_endpoint(tmp_path, server, "kept")
        server.script(stream("Yes."))
        tested = postil("endpoints", "test", "kept", home=tmp_path)
        assert tested.code == 0, tested.stderr
        assert server.requests[-1].headers["authorization"] == "Bearer sk-secret-of-the-reader"
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert b"sk-secret-of-the-reader" not in path.read_bytes(), path

    @pytest.mark.parametrize(
        "arguments",
        [
            ["add", "x", "--url", "ftp://models.example", "--model", "m"],
            ["add", "x", "--url", "models.example", "--model", "m"],
            ["add", "x", "--url", "https://models.example"],
            ["add", "local:x", "--url", "https://models.example", "--model", "m"],
            ["add", "x", "--url", "https://models.example", "--model", "m", "--context", "3"],
        ],
    )
    def test_wrong_usage(self, tmp_path: Path, arguments: list[str]) -> None:
        assert postil("endpoints", *arguments, home=tmp_path).code == 2
