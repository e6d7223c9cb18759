"""The reader's settings: everything that is not a secret."""

from __future__ import annotations

import logging
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, ValidationError

from core.ports import SettingsStore

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
"""Stored with the values. It is raised with a change of a field's meaning, so that a later version
can tell values of the old meaning."""


class Theme(StrEnum):
    """How the window looks."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Settings(BaseModel):
    """What the reader has chosen.

    Attributes:
        schema_version: what the stored values were written with.
        answer_endpoint: the endpoint that answers, None for the books' own passages.
        embedding_model: what searches by meaning.
        theme: how the window looks.
        font_scale: size of the book's text, as a multiple of the system's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    answer_endpoint: str | None = None
    embedding_model: str = "all-MiniLM-L6-v2"
    theme: Theme = Theme.SYSTEM
    font_scale: float = 1.0


def load_settings(store: SettingsStore) -> Settings:
    """Read the settings; a value that makes no sense is logged, and its default stands in."""
    values = {key: value for key, value in store.read().items() if key in Settings.model_fields}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors()}
        log.warning("settings without a sensible value were reset: %s", ", ".join(sorted(bad)))
        return Settings.model_validate({k: v for k, v in values.items() if k not in bad})


def save_settings(store: SettingsStore, settings: Settings) -> None:
    """Write all settings."""
    store.write(settings.model_dump(mode="json"))
