"""Settings survive, and nonsense in the store does not stop the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from core.settings import Settings, Theme, load_settings, save_settings


class DictStore:
    """A SettingsStore in memory."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = values or {}

    def read(self) -> Mapping[str, Any]:
        return dict(self.values)

    def write(self, values: Mapping[str, Any]) -> None:
        self.values.update(values)


def test_nothing_stored_gives_the_defaults() -> None:
    assert load_settings(DictStore()) == Settings()


def test_settings_come_back() -> None:
    store = DictStore({"window.size": [800, 600]})
    chosen = Settings(answer_endpoint="home", theme=Theme.DARK, font_scale=1.25)
    save_settings(store, chosen)
    assert load_settings(store) == chosen
    assert store.values["window.size"] == [800, 600]
    assert store.values["theme"] == "dark"


@pytest.mark.expects_logs
def test_a_value_without_sense_is_reset_and_the_others_stay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = DictStore({"theme": "pink", "font_scale": "big", "answer_endpoint": "home"})
    assert load_settings(store) == Settings(answer_endpoint="home")
    assert "font_scale, theme" in caplog.text


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().theme = Theme.DARK  # type: ignore[misc]
