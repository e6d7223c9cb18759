"""The engine's process: real ones, on a tiny model."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from app.local_models.chat_model import LocalChatModel
from app.local_models.engine_process import EngineProcess
from app.local_models.store import LocalModel
from app.local_models.supervisor import EngineSupervisor
from core.errors import EndpointError, EndpointServerError
from core.events import Event, EventBus, LocalModelChanged, LocalModelState
from rag.ports import ChatMessage
from support.chat_model import write_chat_model

GONE_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def heard() -> list[tuple[str, LocalModelState]]:
    return []


@pytest.fixture
async def supervisor(
    heard: list[tuple[str, LocalModelState]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[EngineSupervisor]:
    monkeypatch.setenv("POSTIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(tmp_path / "cache"))
    events = EventBus()

    def hear(event: Event) -> None:
        if isinstance(event, LocalModelChanged):
            heard.append((event.name, event.state))

    events.subscribe(hear)
    supervisor = EngineSupervisor(events)
    yield supervisor
    await supervisor.close()


async def say(model: LocalModel, supervisor: EngineSupervisor) -> str:
    chat = LocalChatModel(model, supervisor)
    stream = chat.stream([ChatMessage("user", "Who kept the lamp?")], max_tokens=12)
    async with aclosing(stream) as deltas:
        return "".join([delta.text + delta.reasoning async for delta in deltas])


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of the engine's coming and going
        await asyncio.sleep(0.01)


def with_half_its_weights(folder: Path, broken: Path) -> Path:
    shutil.copytree(folder, broken)
    weights = (folder / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    return broken


def process_of(supervisor: EngineSupervisor) -> psutil.Process:
    engine = supervisor._engine
    assert engine is not None
    return psutil.Process(engine._process.pid)


async def test_a_question_starts_the_engine_and_another_model_takes_its_place(
    supervisor: EngineSupervisor, folder: Path, heard: list[tuple[str, LocalModelState]]
) -> None:
    first, second = (LocalModel(name, folder, "folder") for name in ("first", "second"))

    said = await say(first, supervisor)
    process = process_of(supervisor)
    assert said
    assert await say(first, supervisor) == said
    assert process_of(supervisor) == process

    assert await say(second, supervisor) == said
    assert not process.is_running()
    states = [state for name, state in heard if name == "first"]
    assert states == [
        LocalModelState.LOADING,
        LocalModelState.READY,
        LocalModelState.READY,
        LocalModelState.UNLOADED,
    ]

    process = process_of(supervisor)
    await supervisor.close()
    assert not process.is_running()


async def test_an_engine_that_crashed_is_started_anew(
    supervisor: EngineSupervisor, folder: Path
) -> None:
    model = LocalModel("tiny", folder, "folder")
    said = await say(model, supervisor)
    process_of(supervisor).kill()
    process_of(supervisor).wait(GONE_WITHIN_S)

    assert await say(model, supervisor) == said


async def test_an_engine_without_work_is_let_go(folder: Path, tmp_path: Path) -> None:
    supervisor = EngineSupervisor(EventBus(), idle_s=0.05)
    await say(LocalModel("tiny", folder, "folder"), supervisor)

    await until(lambda: supervisor._engine is None)
    await supervisor.close()


async def test_an_engine_is_let_go_though_another_model_was_put_down_later(folder: Path) -> None:
    supervisor = EngineSupervisor(EventBus(), idle_s=0.05)
    first, second = (LocalModel(name, folder, "folder") for name in ("first", "second"))

    async with supervisor.serving(first):
        await say(second, supervisor)

    await asyncio.wait_for(until(lambda: supervisor._engine is None), GONE_WITHIN_S)
    await supervisor.close()


async def test_why_a_model_cannot_run_is_told(
    supervisor: EngineSupervisor, folder: Path, tmp_path: Path
) -> None:
    broken = with_half_its_weights(folder, tmp_path / "broken")

    with pytest.raises(EndpointServerError, match="broken"):
        await say(LocalModel("broken", broken, "folder"), supervisor)
    assert supervisor._engine is None

    assert await say(LocalModel("tiny", folder, "folder"), supervisor)


async def test_closing_while_the_model_loads_ends_the_question_with_an_error(
    supervisor: EngineSupervisor, folder: Path
) -> None:
    asking = asyncio.create_task(say(LocalModel("tiny", folder, "folder"), supervisor))
    await until(lambda: supervisor._engine is not None)
    process = process_of(supervisor)

    await supervisor.close()

    with pytest.raises(EndpointError):
        await asking
    assert not process.is_running()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a signal of POSIX")
def test_no_engine_outlives_its_window(folder: Path, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from app.local_models.engine_process import EngineProcess\n"
        "async def main():\n"
        f"    engine = EngineProcess('tiny', [{str(folder)!r}], 512)\n"
        "    print(engine._process.pid, flush=True)\n"
        "    await engine.endpoint()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "POSTIL_HOME": str(tmp_path / "home")}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment,
        cwd=Path(__file__).parents[3],
    ) as window:  # fmt: skip
        assert window.stdout is not None
        engine = psutil.Process(int(window.stdout.readline()))
        assert window.stdout.readline().strip() == "ready"
        window.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + GONE_WITHIN_S
    while engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_wrong_command_line_is_told(tmp_path: Path) -> None:
    engine = EngineProcess("none", [str(tmp_path / "nowhere")], 512)

    with pytest.raises(EndpointServerError, match="nowhere"):
        await engine.endpoint()
    await engine.end()
