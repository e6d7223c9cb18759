"""What is going on with the embedding model, as the window shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Stage(Enum):
    """How far a model has come."""

    OFFERED = auto()
    FETCHING = auto()
    EMBEDDING = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class ModelWork:
    """A model that is not there yet, or not in use yet.

    Attributes:
        model: its name in the catalogue.
        stage: how far it has come.
        download_mb: about how much comes over the network.
        is_choice: whether it is the one that the settings name.
        fraction: the share that is done of the stage, 0 to 1.
        eta_s: time that is left, where it is known.
        problem: why it failed, in words for the reader.
    """

    model: str
    stage: Stage
    download_mb: int
    is_choice: bool
    fraction: float = 0.0
    eta_s: float | None = None
    problem: str = ""

    @property
    def busy(self) -> bool:
        """Say whether something is being done."""
        return self.stage in (Stage.FETCHING, Stage.EMBEDDING)


def short_name(model: str) -> str:
    """Return a model's name without its makers'."""
    return model.rpartition("/")[2]
