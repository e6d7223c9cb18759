from __future__ import annotations

import pytest

from rag.ingest.progress import Speedometer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_at_first() -> None:
    speed = Speedometer(Clock())
    assert speed.characters_per_s == 0.0
    assert speed.eta_s(1000) is None


def test_a_steady_speed_is_told_at_once() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    speed.advance(5_000)
    assert speed.characters_per_s == 0.0
    for _ in range(20):
        clock.now += 0.5
        speed.advance(5_000)
        assert speed.characters_per_s == pytest.approx(10_000)
    assert speed.eta_s(25_000) == pytest.approx(2.5)


def test_a_change_is_followed_smoothly() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    for _ in range(40):
        clock.now += 1
        speed.advance(10_000)
    clock.now += 1
    speed.advance(2_000)
    assert 8_000 < speed.characters_per_s < 10_000
    for _ in range(40):
        clock.now += 1
        speed.advance(2_000)
    assert speed.characters_per_s == pytest.approx(2_000, rel=0.03)


def test_a_pause_does_not_count() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    for pause_s in (0, 3_600):
        speed.pause()
        clock.now += pause_s
        speed.advance(10_000)
        clock.now += 1
        speed.advance(10_000)
        assert speed.characters_per_s == pytest.approx(10_000)
