from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from app.background import Background
from core.errors import StorageError


def test_calls_run_on_threads_of_their_own(run: Any, background: Background) -> None:
    async def work() -> set[str]:
        return {
            await background.read(lambda: threading.current_thread().name),
            await background.write(lambda: threading.current_thread().name),
        }

    names = run(work())
    assert all(name.startswith("postil-") for name in names)
    assert len(names) == 2


def test_writes_take_turns(run: Any, background: Background) -> None:
    order: list[int] = []

    async def work() -> None:
        await asyncio.gather(*(background.write(order.append, number) for number in range(50)))

    run(work())
    assert order == list(range(50))


def test_a_task_that_nobody_awaits_tells_the_reader(run: Any) -> None:
    told: list[str] = []
    background = Background(told.append)

    async def fail() -> None:
        raise StorageError("The disk is full.")

    async def work() -> None:
        background.spawn(fail())
        await asyncio.sleep(0.01)
        await background.close()

    run(work())
    assert told == ["The disk is full."]


@pytest.mark.expects_logs
def test_a_mistake_of_ours_is_told_and_logged(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    background = Background(told.append)

    async def fail() -> None:
        raise KeyError("gone")

    async def work() -> None:
        background.spawn(fail())
        await asyncio.sleep(0.01)
        await background.close()

    run(work())
    assert "KeyError" in told[0]
    assert "a background task failed" in caplog.text


def test_a_new_task_takes_the_place_of_the_one_before(run: Any, background: Background) -> None:
    done: list[str] = []

    async def slow(name: str) -> None:
        await asyncio.sleep(0.01)
        done.append(name)

    async def work() -> None:
        background.spawn(slow("first"), replacing="page")
        background.spawn(slow("second"), replacing="page")
        background.spawn(slow("other"), replacing="find")
        await asyncio.sleep(0.1)

    run(work())
    assert sorted(done) == ["other", "second"]


def test_closing_cancels_what_still_runs(run: Any) -> None:
    background = Background(pytest.fail)
    cancelled: list[bool] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def work() -> None:
        background.spawn(forever())
        await asyncio.sleep(0)
        await background.close()

    run(work())
    assert cancelled == [True]
