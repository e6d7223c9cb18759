from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.window.memory import WindowMemory, load_memory, save_memory


class Settings:
    """A settings store in memory."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values = dict(values or {})

    def read(self) -> Mapping[str, Any]:
        return self.values

    def write(self, values: Mapping[str, Any]) -> None:
        self.values.update(values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)
NAMES = st.sampled_from(sorted(WindowMemory.__dataclass_fields__))


def test_what_is_saved_comes_back() -> None:
    store = Settings({"theme": "dark"})
    memory = WindowMemory("AAAA", (200, 600, 300), "title", "library", 7, 9, False, True)
    save_memory(store, memory)
    assert load_memory(store) == memory
    assert store.values["theme"] == "dark"


@given(kept=JSON | st.dictionaries(NAMES, JSON))
def test_whatever_was_kept_the_window_can_start(kept: object) -> None:
    memory = load_memory(Settings({"window": kept}))
    assert isinstance(memory.geometry_bytes(), bytes)
    assert all(isinstance(width, int) for width in memory.panes)


@pytest.mark.parametrize("kept", [None, 3, [], {"order": 5, "book_id": "x", "panes": [1, "2"]}])
def test_nonsense_is_as_nothing(kept: object) -> None:
    assert load_memory(Settings({"window": kept})) == WindowMemory()
