"""`serve`, run as another program would run it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer.testing
from openai import APIError, AuthenticationError, OpenAI

from app.cli import serve
from app.cli.entry import application
from support.chat_model import write_chat_model
from support.command import TIMEOUT_S


@dataclass
class Serving:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    model: str

    def event(self) -> dict[str, Any]:
        """The next line on standard output."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        return json.loads(line)

    def client(self, key: str = "none") -> OpenAI:
        """OpenAI's own client."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=TIMEOUT_S)

    def end(self, sent: signal.Signals) -> int:
        """Send a signal, wait, and return the exit code."""
        self.process.send_signal(sent)
        return self.process.wait(TIMEOUT_S)


@contextmanager
def serving(
    folder: Path, *options: str, home: Path, ready: bool = True, **environment: str
) -> Iterator[Serving]:
    """Run `postil serve FOLDER --port 0 --json` until the block ends."""
    command = [sys.executable, "-m", "app", "serve", str(folder), "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, "--home", str(home), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "POSTIL_MODEL_CACHE": str(home / "models"), **environment},
    ) as process:
        try:
            server = Serving(process, "", "")
            first = server.event()
            assert first["event"] == "listening"
            server.url, server.model = first["url"], first["model"]
            if ready:
                assert server.event()["event"] == "ready"
            yield server
        finally:
            process.kill()


def run(folder: Path, *options: str, home: Path) -> typer.testing.Result:
    """Run the command in this process, where it ends before it opens anything."""
    arguments = ["serve", str(folder), *options, "--home", str(home / "home")]
    return typer.testing.CliRunner().invoke(application, arguments)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model."""
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")


def test_from_the_first_line_to_a_clean_end(tiny: Path, tmp_path: Path) -> None:
    keys = "sk-one-0123456789 sk-two-0123456789"
    options = ("--max-model-len", "500", "--model-name", "whale")
    with serving(tiny, *options, home=tmp_path, POSTIL_API_KEY=keys) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.model == "whale"
        for key in keys.split():
            with server.client(key) as client:
                assert client.models.list().data[0].model_dump()["max_model_len"] == 500
                said = client.completions.create(model="whale", prompt="The keeper", max_tokens=3)
                assert said.usage is not None
                assert said.usage.completion_tokens <= 3
        with server.client("sk-three") as client, pytest.raises(AuthenticationError):
            client.models.list()
        assert server.end(signal.SIGTERM) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    logs = "".join(file.read_text() for file in (tmp_path / "logs").iterdir())
    assert "sk-one" not in logs


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_ctrl_c_during_an_answer(tiny: Path, tmp_path: Path) -> None:
    with serving(tiny, home=tmp_path) as server, server.client() as client:
        stream = client.completions.create(
            model="tiny", prompt="x", max_tokens=1000, stream=True, extra_body={"ignore_eos": True}
        )
        next(iter(stream))
        server.process.send_signal(signal.SIGINT)
        try:
            last = list(stream)[-1].choices[0].finish_reason
        except APIError as error:
            last = error.code
        assert last in ("length", "engine_stopped")
        assert server.process.wait(TIMEOUT_S) == 0
        assert "Traceback" not in (server.process.stderr.read() if server.process.stderr else "")


def test_what_fails_while_loading_is_told_until_somebody_stops_it(
    tiny: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in tiny.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with serving(damaged, home=tmp_path, ready=False) as server:
        failed = server.event()
        assert failed["event"] == "failed"
        assert "model.safetensors" in failed["reason"]
        health = httpx.get(f"{server.url}/health")
        assert health.status_code == 503
        assert health.json()["status"] == "failed"
        assert server.end(signal.SIGTERM) == 1


@pytest.mark.parametrize("found", ["nothing", "a file", "no weights", "gguf"])
def test_a_folder_without_a_model(tmp_path: Path, found: str) -> None:
    folder = tmp_path / "model"
    if found != "nothing":
        folder.mkdir()
    if found == "a file":
        folder = folder / "model.gguf"
        folder.write_bytes(b"GGUF")
    elif found == "no weights":
        (folder / "config.json").write_text("{}")
    elif found == "gguf":
        (folder / "model.gguf").write_bytes(b"GGUF")
    outcome = run(folder, home=tmp_path)
    assert outcome.exit_code == 1
    assert outcome.stdout == ""
    assert outcome.stderr.count("\n") == 1
    assert str(folder) in outcome.stderr


def test_a_port_that_is_taken(tiny: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = run(tiny, "--port", port, home=tmp_path)
    assert outcome.exit_code == 1
    assert f"port {port}" in outcome.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--device", "tpu"),
        ("--dtype", "float8"),
        ("--quantize", "int2"),
        ("--port", "70000"),
        ("--max-model-len", "0"),
        ("--api-key", " "),
    ],
)
def test_wrong_usage(tmp_path: Path, options: tuple[str, str]) -> None:
    assert run(tmp_path, *options, home=tmp_path).exit_code == 2


def test_packages_that_are_missing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_NEEDED", ("torch", "a_package_that_nobody_has"))
    outcome = run(tiny, home=tmp_path)
    assert outcome.exit_code == 1
    assert "a_package_that_nobody_has" in outcome.stderr
    assert "pip install 'postil[engine]'" in outcome.stderr


@pytest.mark.corpus
def test_the_real_little_model(corpus: Path, tmp_path: Path) -> None:
    golden = json.loads((corpus / "models/stories260K/golden_greedy.json").read_text())
    with (
        serving(corpus / "models/stories260K/hf", home=tmp_path) as server,
        server.client() as client,
    ):
        said = client.completions.create(
            model="hf",
            prompt=golden["prompt"],
            temperature=0,
            max_tokens=len(golden["greedy_token_ids"]) - 5,  # five are the prompt's
        )
        assert golden["prompt"] + said.choices[0].text == golden["greedy_text"]
        assert server.end(signal.SIGTERM) == 0
