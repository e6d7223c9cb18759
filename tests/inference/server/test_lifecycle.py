"""From loading to stopping: what `/health` tells, and what becomes of requests meanwhile."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import openai
import pytest

from inference.engine import Engine
from inference.server.service import ReportProgress
from inference.server.settings import ServerSettings
from support.engine_server import RunningServer, engine_server

LONG_ANSWER = {"prompt": "The keeper", "max_tokens": 1000, "extra_body": {"ignore_eos": True}}


def loading_when(go_on: threading.Event, folder: Path) -> Callable[[ReportProgress], Engine]:
    """Return what loads the engine once it may, telling its progress until then."""

    def load(report: ReportProgress) -> Engine:
        while not go_on.wait(0.01):
            report("weights", 0.25)
        return Engine.from_pretrained(folder, device="cpu", kv_cache_bytes=1 << 20)

    return load


def ask(server: RunningServer) -> httpx.Response:
    return server.http.post("/v1/completions", json={"prompt": "x", "max_tokens": 1})


class TestLoading:
    def test_health_answers_before_the_model_is_there(self, chat_model: Path) -> None:
        go_on = threading.Event()
        load = loading_when(go_on, chat_model)
        with engine_server(chat_model, wait=False, load=load) as server:
            server.wait_until(lambda: server.service.state.stage == "weights")
            health = server.http.get("/health")
            assert health.status_code == 503
            assert health.headers["retry-after"]
            assert health.json() == {
                "status": "loading",
                "model": "tiny-chat",
                "progress": {"stage": "weights", "share": 0.25},
            }
            early = ask(server)
            assert (early.status_code, early.json()["error"]["code"]) == (503, "model_loading")
            assert early.headers["retry-after"]
            assert server.http.get("/v1/models").json()["data"][0]["max_model_len"] is None
            assert server.http.get("/metrics").status_code == 200
            go_on.set()
            server.wait_until(lambda: server.service.state.status == "ready")
            assert server.http.get("/health").status_code == 200
            assert ask(server).status_code == 200

    def test_stopping_while_it_loads(self, chat_model: Path) -> None:
        never = threading.Event()
        load = loading_when(never, chat_model)
        with engine_server(chat_model, wait=False, load=load) as server:
            server.wait_until(lambda: server.service.state.stage == "weights")
        assert not server.service.is_loading

    @pytest.mark.expects_logs
    def test_an_error_that_nobody_expected(self, chat_model: Path) -> None:
        def load(report: ReportProgress) -> Engine:
            raise ZeroDivisionError("a bug")

        with engine_server(chat_model, load=load) as server:
            health = server.http.get("/health").json()
        assert health["status"] == "failed"
        assert "ZeroDivisionError" in health["reason"]


def empty_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def truncate_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def change_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (empty_folder, "no config.json"),
        (truncate_weights, "model.safetensors"),
        (no_json, "not valid JSON"),
        (change_config(hidden_size=63), "[443, 63]"),
        (change_config(num_hidden_layers=3), "layers.2"),
        (change_config(architectures=["WhaleForCausalLM"]), "WhaleForCausalLM"),
    ],
    ids=["empty", "truncated", "no JSON", "wrong size", "missing tensor", "unknown"],
)
def test_a_folder_that_cannot_be_served(
    chat_model: Path, tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    """The reason is told, requests get a reply of the API's form, and the server goes on."""
    folder = shutil.copytree(chat_model, tmp_path / "damaged")
    damage(folder)
    with engine_server(folder) as server:
        for _ in range(2):
            health = server.http.get("/health")
            assert health.status_code == 503
            assert health.json()["status"] == "failed"
            assert says in health.json()["reason"]
            with pytest.raises(openai.InternalServerError) as raised:
                server.client().completions.create(model="damaged", prompt="x")
            assert raised.value.status_code == 503
            assert raised.value.code == "model_failed"
            assert says in raised.value.message


class TestStopping:
    def test_an_open_answer_may_end(self, chat_model: Path) -> None:
        with engine_server(chat_model, ServerSettings(grace_s=60)) as server:
            stream = server.client().completions.create(
                model="tiny-chat", stream=True, **LONG_ANSWER
            )
            next(iter(stream))
            server.stop()
            chunks = list(stream)
            assert chunks[-1].choices[0].finish_reason == "length"
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{server.url}/health", timeout=5)

    def test_an_answer_past_the_grace_ends_with_an_error(self, chat_model: Path) -> None:
        with engine_server(chat_model, ServerSettings(grace_s=0.05)) as server:
            stream = server.client().completions.create(
                model="tiny-chat", stream=True, **LONG_ANSWER
            )
            next(iter(stream))
            server.stop()
            with pytest.raises(openai.APIError) as raised:
                list(stream)
            assert raised.value.code == "engine_stopped"

    def test_a_second_signal_ends_the_grace(self, chat_model: Path) -> None:
        with engine_server(chat_model, ServerSettings(grace_s=600)) as server:
            stream = server.client().completions.create(
                model="tiny-chat", stream=True, **LONG_ANSWER
            )
            next(iter(stream))
            server.stop()
            time.sleep(0.2)
            server.stop()
            with pytest.raises(openai.APIError) as raised:
                list(stream)
            assert raised.value.code == "engine_stopped"

    def test_an_answer_that_is_no_stream(self, chat_model: Path) -> None:
        replies: list[httpx.Response] = []
        with engine_server(chat_model, ServerSettings(grace_s=0.05)) as server:
            body = {"prompt": "The keeper", "max_tokens": 1000, "ignore_eos": True}
            asking = threading.Thread(
                target=lambda: replies.append(server.http.post("/v1/completions", json=body))
            )
            asking.start()
            server.wait_until(lambda: server.engine.stats().running == 1)
            server.stop()
            asking.join()
        assert replies[0].status_code == 503
        assert replies[0].json()["error"]["code"] == "engine_stopped"
