"""The dialog of local models, on a real window and a hub on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QListWidget, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from app.local_models.dialog import LocalModelsDialog
from app.theme import Theme
from core.home import Home
from support.model_hub import model_hub
from support.window import OpenedWindow, opened_window, until

FILES = {
    "config.json": json.dumps({"max_position_embeddings": 512}).encode(),
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(range(256)) * 400,
}


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTIL_MODEL_CACHE", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")


def shown(opened: OpenedWindow) -> LocalModelsDialog:
    dialog = LocalModelsDialog(opened.postil, opened.background, opened.window)
    dialog.open()
    return dialog


def words_on_buttons(dialog: LocalModelsDialog) -> list[str]:
    return [button.text().replace("&", "") for button in dialog.findChildren(QPushButton)]


def button(dialog: LocalModelsDialog, words: str) -> QPushButton:
    return dialog.findChildren(QPushButton)[words_on_buttons(dialog).index(words)]


def press(dialog: LocalModelsDialog, words: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(button(dialog, words), Qt.MouseButton.LeftButton)


def says(dialog: LocalModelsDialog, words: str) -> bool:
    return any(words in label.text() for label in dialog.findChildren(QLabel))


def model_folder(folder: Path) -> Path:
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_folder_is_imported_chosen_and_removed(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, tmp_path: Path
) -> None:
    async def story() -> None:
        async with opened_window(home, theme) as opened:
            dialog = shown(opened)
            await until(lambda: "qwen3-0.6b" in dialog.names())
            assert not button(dialog, "Remove").isEnabled()
            dialog.import_folder(tmp_path)
            await until(lambda: says(dialog, "config.json"))
            dialog.import_folder(model_folder(tmp_path / "whale"))
            await until(lambda: "whale" in dialog.names())

            chosen: list[str] = []
            dialog.chosen.connect(chosen.append)
            dialog.select("whale")
            press(dialog, "Ask this model", qtbot)
            assert chosen == ["whale"]

            dialog = shown(opened)
            await until(lambda: "whale" in dialog.names())
            dialog.select("whale")
            press(dialog, "Remove", qtbot)
            await until(lambda: dialog.findChildren(QMessageBox))
            (question,) = dialog.findChildren(QMessageBox)
            assert "stays where it is" in question.text()
            (remove,) = [b for b in question.buttons() if b.text() == "Remove"]
            remove.click()
            await until(lambda: "whale" not in dialog.names())
            assert (tmp_path / "whale" / "model.safetensors").exists()
            dialog.close()

    run(story())


def test_a_download_shows_its_end(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        with model_hub() as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            async with opened_window(home, theme) as opened:
                dialog = shown(opened)
                await until(lambda: "qwen3-0.6b" in dialog.names())
                dialog.select("qwen3-0.6b")
                press(dialog, "Download", qtbot)
                assert button(dialog, "Stop").isVisible()
                await until(lambda: says(dialog, "knows no model"), 30)
                assert not button(dialog, "Stop").isVisible()

                hub.files["Qwen/Qwen3-0.6B"] = FILES
                press(dialog, "Download", qtbot)
                await until(lambda: says(dialog, "qwen3-0.6b is here."), 30)
                await until(opened.postil.local_models.all)
                await until(lambda: "Ask this model" in words_on_buttons(dialog))
                dialog.close()

    run(story())


def test_closing_ends_a_download(
    run: Any, home: Home, theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        with model_hub() as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            hub.files["Qwen/Qwen3-0.6B"] = FILES
            async with opened_window(home, theme) as opened:
                dialog = shown(opened)
                await until(lambda: "qwen3-0.6b" in dialog.names())
                dialog.select("qwen3-0.6b")
                press(dialog, "Download", qtbot)
                assert dialog.findChild(QListWidget).count() > 1
                dialog.reject()

    run(story())
