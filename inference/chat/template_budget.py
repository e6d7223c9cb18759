"""What one rendering of a chat template may still do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

from jinja2.utils import Namespace

from inference.chat.template import TemplateLimitError

OBJECT_UNITS = 16
"""What any value costs, beside its characters."""

_MAX_DEPTH = 64
_MAX_BITS = 4096  # dividing large numbers takes time that nobody can interrupt


class Budget:
    """What one rendering may still do.

    Attributes:
        units: characters and values that may still be made.
        deadline: when it has to be done, on `time.monotonic`'s clock.
    """

    __slots__ = ("deadline", "units")

    def __init__(self, units: int, timeout_s: float) -> None:
        self.units = units
        self.deadline = time.monotonic() + timeout_s

    def charge(self, units: int) -> None:
        """Pay, before the work is done.

        Raises:
            TemplateLimitError: too much work, or too late.
        """
        self.units -= units + 1
        if self.units < 0:
            raise TemplateLimitError("The model's chat template builds too much text.")
        if time.monotonic() > self.deadline:
            raise TemplateLimitError("The model's chat template takes too long.")

    def charge_value(self, value: object, times: int = 1) -> None:
        """Pay for a copy, or several, of a value and of all that it holds."""
        self.charge(self._size(value, 0) * times)

    def _size(self, value: object, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise TemplateLimitError("The model's chat template nests values too deeply.")
        if isinstance(value, str):
            return len(value) + OBJECT_UNITS
        if isinstance(value, int):
            if value.bit_length() > _MAX_BITS:
                raise TemplateLimitError("The model's chat template computes too large a number.")
            return OBJECT_UNITS
        if isinstance(value, Namespace):
            value = value._Namespace__attrs
        if isinstance(value, Mapping):
            parts: Iterable[object] = (part for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple | set | frozenset):
            parts = value
        else:
            return OBJECT_UNITS
        total = OBJECT_UNITS
        for part in parts:
            self.charge(0)  # looking takes time too: what is shared is looked at again
            total += self._size(part, depth + 1)
        return total


current_budget: ContextVar[Budget] = ContextVar("current_budget")
"""The budget of the rendering under way."""
