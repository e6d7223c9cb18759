"""The records of local models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.local_models.store import LocalModelError, LocalModels, checked_name
from core.errors import ConflictError, NotFoundError


@pytest.fixture
def models(tmp_path: Path) -> LocalModels:
    return LocalModels(tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "Tiny Model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 2048}))
    (folder / "model.safetensors").write_bytes(b"12345678")
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_nothing_is_there_at_first(models: LocalModels, tmp_path: Path) -> None:
    assert models.all() == []
    assert not (tmp_path / "cache").exists()


def test_an_imported_folder_stays_where_it_is(models: LocalModels, folder: Path) -> None:
    model = models.import_folder(folder)

    assert (model.name, model.path, model.origin) == ("tiny-model", folder, "folder")
    assert (model.size_bytes, model.context_tokens) == (8, 2048)
    assert models.all() == [models.get("Tiny-Model")] == [model]

    models.remove("tiny-model")
    assert models.all() == []
    assert (folder / "model.safetensors").exists()


def test_weights_that_are_gone_take_no_room(models: LocalModels, folder: Path) -> None:
    model = models.import_folder(folder)
    weights = folder / "model.safetensors"
    weights.unlink()
    weights.symlink_to(folder / "gone")  # what is left of a cache whose large files were deleted

    assert model.size_bytes == 0


def test_a_name_stands_for_one_folder(models: LocalModels, folder: Path, tmp_path: Path) -> None:
    models.import_folder(folder, "mine")
    models.import_folder(folder, "mine")  # the same again changes nothing
    other = folder.rename(tmp_path / "other")

    with pytest.raises(ConflictError, match="mine"):
        models.import_folder(other, "mine")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_a_model_is_told_what_it_lacks(
    models: LocalModels, folder: Path, missing: str
) -> None:
    (folder / missing).unlink()

    with pytest.raises(LocalModelError, match=r"is missing|no config\.json"):
        models.import_folder(folder)


def test_gguf_is_said_to_be_for_other_programs(models: LocalModels, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")

    with pytest.raises(LocalModelError, match=r"llama\.cpp"):
        models.import_folder(tmp_path)


@pytest.mark.parametrize("config", ["", "[]", "{"])
def test_a_broken_configuration_is_named(models: LocalModels, folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)

    with pytest.raises(LocalModelError, match=r"config\.json"):
        models.import_folder(folder)


def test_a_record_cut_short_is_passed_over(
    models: LocalModels, folder: Path, tmp_path: Path
) -> None:
    models.import_folder(folder)
    (tmp_path / "cache" / "local" / "broken.json").write_text('{"name": "bro')

    assert [model.name for model in models.all()] == ["tiny-model"]


def test_an_unknown_model_is_not_found(models: LocalModels, folder: Path) -> None:
    with pytest.raises(NotFoundError, match="postil models list"):
        models.get("whale")
    models.import_folder(folder)
    with pytest.raises(NotFoundError, match="tiny-model"):
        models.remove("whale")


@pytest.mark.parametrize("name", ["../up", "", "a/b", "-x", "日本"])
def test_names_that_cannot_be_files_are_refused(name: str) -> None:
    with pytest.raises(LocalModelError):
        checked_name(name)
