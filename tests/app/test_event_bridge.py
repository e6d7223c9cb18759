from __future__ import annotations

import asyncio
import threading
from typing import Any

from app.event_bridge import ROUND_S, EventBridge
from core.events import (
    BookAdded,
    BookRemoved,
    EndpointsChanged,
    EventBus,
    IngestIdle,
    IngestStalled,
    JobChanged,
    JobFailed,
    JobProgressed,
)
from core.jobs import JobState


def hear(bridge: EventBridge) -> list[tuple[str, object]]:
    heard: list[tuple[str, object]] = []
    bridge.booksChanged.connect(lambda ids: heard.append(("books", ids)))
    bridge.jobsChanged.connect(lambda: heard.append(("jobs", None)))
    bridge.jobProgressed.connect(lambda event: heard.append(("progress", event)))
    bridge.jobFailed.connect(lambda event: heard.append(("failed", event.message)))
    bridge.endpointsChanged.connect(lambda: heard.append(("endpoints", None)))
    bridge.ingestIdle.connect(lambda: heard.append(("idle", None)))
    bridge.ingestStalled.connect(lambda message: heard.append(("stalled", message)))
    return heard


def test_events_of_many_threads_come_as_one_round_on_the_loop(run: Any) -> None:
    async def work() -> tuple[list[tuple[str, object]], JobProgressed]:
        bus = EventBus()
        bridge = EventBridge(bus, asyncio.get_running_loop())
        heard = hear(bridge)

        def publish(number: int) -> None:
            bus.publish(BookAdded(number))
            bus.publish(JobProgressed(1, 7, number, 100, 5.0, None))

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(1, 21)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = JobProgressed(1, 7, 99, 100, 5.0, 1.0)
        bus.publish(last)
        await asyncio.sleep(3 * ROUND_S)
        bridge.close()
        return heard, last

    heard, last = run(work())
    assert heard == [("books", frozenset(range(1, 21))), ("progress", last)]


def test_each_kind_of_event_has_its_signal(run: Any) -> None:
    async def work() -> list[tuple[str, object]]:
        bus = EventBus()
        bridge = EventBridge(bus, asyncio.get_running_loop())
        heard = hear(bridge)
        bus.publish(JobChanged(1, 3, JobState.PARSING))
        bus.publish(JobFailed(2, None, "No text in it."))
        bus.publish(BookRemoved(4))
        bus.publish(EndpointsChanged())
        bus.publish(IngestStalled("The disk is full."))
        bus.publish(IngestIdle())
        await asyncio.sleep(3 * ROUND_S)
        bridge.close()
        bus.publish(BookAdded(9))
        await asyncio.sleep(2 * ROUND_S)
        return heard

    assert run(work()) == [
        ("books", frozenset({3, 4})),
        ("jobs", None),
        ("failed", "No text in it."),
        ("stalled", "The disk is full."),
        ("endpoints", None),
        ("idle", None),
    ]


def test_closing_before_the_round_tells_nothing(run: Any) -> None:
    async def work() -> list[tuple[str, object]]:
        bus = EventBus()
        bridge = EventBridge(bus, asyncio.get_running_loop())
        heard = hear(bridge)
        bus.publish(IngestIdle())
        await asyncio.sleep(0.01)
        bridge.close()
        await asyncio.sleep(2 * ROUND_S)
        return heard

    assert run(work()) == []
