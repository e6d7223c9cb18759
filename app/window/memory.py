"""What the window remembers from one start to the next."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass, fields

from core.ports import SettingsStore

_KEY = "window"


@dataclass(slots=True)
class WindowMemory:
    """Sizes and choices that belong to the window and to no setting.

    Attributes:
        geometry: Qt's own record of size and place, in base 64.
        panes: widths of the three panes in pixels.
        order: how the library is sorted.
        scope: what questions are put to.
        book_id: the book that was open.
        conversation_id: the conversation that was open.
        library_shown: whether the library pane is there.
        conversation_shown: whether the conversation pane is there.
    """

    geometry: str = ""
    panes: tuple[int, ...] = ()
    order: str = "added"
    scope: str = "book"
    book_id: int | None = None
    conversation_id: int | None = None
    library_shown: bool = True
    conversation_shown: bool = True

    def geometry_bytes(self) -> bytes:
        """Return Qt's record, empty where there is none or it makes no sense."""
        try:
            return base64.b64decode(self.geometry, validate=True)
        except (binascii.Error, ValueError):
            return b""


def load_memory(store: SettingsStore) -> WindowMemory:
    """Read what was remembered; what is missing or of another kind is as at the first start."""
    kept = store.read().get(_KEY)
    memory = WindowMemory()
    if not isinstance(kept, dict):
        return memory
    for field in fields(WindowMemory):
        value = _as_kind_of(getattr(memory, field.name), kept.get(field.name), field.name)
        if value is not None:
            setattr(memory, field.name, value)
    return memory


def save_memory(store: SettingsStore, memory: WindowMemory) -> None:
    """Remember."""
    store.write({_KEY: {**asdict(memory), "panes": list(memory.panes)}})


def _as_kind_of(usual: object, value: object, name: str) -> object:
    """Return a stored value where it is of the kind that the field holds, else None."""
    if name == "panes":
        if isinstance(value, list) and all(isinstance(width, int) for width in value):
            return tuple(value)
        return None
    wanted = int if name.endswith("_id") else type(usual)
    return value if isinstance(value, wanted) else None
