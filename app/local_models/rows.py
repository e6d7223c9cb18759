"""What the dialog of local models shows: one row for each model, here or on offer."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from app.local_models.catalogue import CATALOGUE, CatalogueModel
from app.local_models.store import LocalModel, LocalModels


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that can be asked, or one that can be fetched.

    Attributes:
        name: the model.
        here: it is on this computer.
        facts: its size, licence and what else to know, in words for the reader.
        is_download: it came from the hub, so that removing it deletes files.
    """

    name: str
    here: bool
    facts: str
    is_download: bool = False


def read_rows(models: LocalModels) -> list[ModelRow]:
    """Return the models that are here, then those on offer, small ones first. May block."""
    here = models.all()
    names = {model.name for model in here}
    offered = sorted(CATALOGUE, key=lambda model: model.size_mb)
    return [
        *map(_installed_row, here),
        *(_offered_row(model) for model in offered if model.name not in names),
    ]


def _installed_row(model: LocalModel) -> ModelRow:
    where = model.repository or str(model.path)
    size_bytes = model.size_bytes
    size = f"{size_bytes / 1e9:.1f} GB" if size_bytes else "its files are gone"
    return ModelRow(
        model.name,
        here=True,
        facts=f"{size} · {where}",
        is_download=model.origin == "hub",
    )


def _offered_row(model: CatalogueModel) -> ModelRow:
    facts = [f"{model.size_mb / 1000:.1f} GB to download", model.licence]
    if model.gated:
        facts.append("needs your consent on the hub")
    if model.memory_bytes > int(psutil.virtual_memory().total):
        facts.append("too large for this computer")
    return ModelRow(model.name, here=False, facts=" · ".join(facts))
