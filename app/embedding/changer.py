"""Brings an embedding model into use: fetches it, embeds the books with it, changes over to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.background import Background
from app.embedding.fetching import ModelFetch
from app.embedding.reembedding import Reembedding
from app.embedding.work import ModelWork, Stage, short_name
from core.errors import PostilError
from core.home import model_cache_dir

if TYPE_CHECKING:
    from app.composition import Postil

_TASK = "embedding model"
_QUIET_LOOK_S = 0.1


class ModelChanger(QObject):
    """The one place where the embedding model is fetched and changed.

    Until all books are embedded with another model, searches go on with the one in use. Ended
    midway, by the reader or by closing, it stays in use, and nothing that was done is lost.

    Signals:
        changed: the `ModelWork` there is now, or None.
        told: a sentence for the reader.
        inUse: another model is in use; the books are to be shown anew.
    """

    changed = Signal(object)
    told = Signal(str)
    inUse = Signal()

    def __init__(
        self,
        postil: Postil,
        background: Background,
        start_ingest: Callable[[], object],
        is_quiet: Callable[[], bool],
        parent: QObject,
    ) -> None:
        """Join the parts; nothing happens before `look` or `use`.

        Args:
            postil: the library in the window.
            background: for what blocks.
            start_ingest: a coroutine function that starts the window's queue anew.
            is_quiet: says that no answer is coming, so that the model may change.
            parent: owns this.
        """
        super().__init__(parent)
        self._postil = postil
        self._background = background
        self._start_ingest = start_ingest
        self._is_quiet = is_quiet
        self._cache_dir = model_cache_dir()
        self._task: asyncio.Task[None] | None = None
        self.work: ModelWork | None = None

    @property
    def busy(self) -> bool:
        """Say whether a model is being brought into use."""
        return self._task is not None

    async def look(self) -> None:
        """Offer the model that the settings name, where it is not there."""
        missing = await self._background.read(self._missing)
        if missing is not None and self._task is None:
            self._show(missing)

    def use(self, model: str) -> None:
        """Bring a model into use, unless another is just being brought."""
        if self._task is None:
            self._task = self._background.spawn(self._use(model))

    def cancel(self) -> None:
        """End what is under way; the model in use stays."""
        if self._task is not None:
            self._task.cancel()

    def put_aside(self) -> None:
        """Show an offer or a failure no more."""
        if self._task is None:
            self._show(None)

    async def finish(self) -> None:
        """End what is under way, and wait until it has ended."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def _missing(self) -> ModelWork | None:
        from rag.embedding import is_ready

        name = self._postil.settings.embedding_model
        if is_ready(name, self._cache_dir):
            return None
        return self._offer(name)

    def _offer(self, name: str) -> ModelWork:
        from rag.embedding import find_model
        from rag.embedding.fetch import download_mb

        is_choice = name == self._postil.settings.embedding_model
        return ModelWork(name, Stage.OFFERED, download_mb(find_model(name)), is_choice)

    async def _use(self, name: str) -> None:
        try:
            self._show(await self._background.read(self._offer, name))
            await self._fetch(name)
            if self._require_work().is_choice:
                await self._embed_missing(name)
            else:
                await self._change_over(name)
            self._show(None)
        except asyncio.CancelledError:
            self._show(await self._background.read(self._missing))
            self.told.emit("That was cancelled. What has come so far is kept.")
        except PostilError as error:
            self._show(replace(self._require_work(), stage=Stage.FAILED, problem=str(error)))
        finally:
            self._task = None
            self.changed.emit(self.work)

    async def _fetch(self, name: str) -> None:
        if await self._background.read(_is_there, name, self._cache_dir):
            return
        work = replace(self._require_work(), stage=Stage.FETCHING)
        self._show(work)
        fetch = ModelFetch(self._background, self._cache_dir, self)
        try:
            await fetch.run(
                name, work.download_mb, lambda share: self._show(replace(work, fraction=share))
            )
        finally:
            fetch.deleteLater()

    async def _embed_missing(self, name: str) -> None:
        """Go on as if the model of the settings had always been there."""
        ingest = await self._background.read(lambda: self._postil.ingest)
        await ingest.embed_missing()
        self.told.emit(f"{short_name(name)} is there: your books are now read for their meaning.")

    async def _change_over(self, name: str) -> None:
        other = await self._background.read(self._open_with, name)
        try:
            work = replace(self._require_work(), stage=Stage.EMBEDDING, fraction=0.0)
            self._show(work)
            await Reembedding(
                other,
                self._background,
                lambda share, eta_s: self._show(replace(work, fraction=share, eta_s=eta_s)),
            ).run()
        finally:
            await asyncio.shield(self._background.read(other.close))
        await asyncio.shield(self._take_up(name))

    async def _take_up(self, name: str) -> None:
        """Let the new model be the one in use, and drop what belonged to the old one."""
        await self._postil.ingest.close()
        while not self._is_quiet():  # noqa: ASYNC110 - an answer ends by itself
            await asyncio.sleep(_QUIET_LOOK_S)
        await self._background.write(self._postil.use_embedding_model, name)
        await self._start_ingest()  # type: ignore[misc]
        self.told.emit(f"Search by meaning now uses {short_name(name)}.")
        self.inUse.emit()

    def _open_with(self, name: str) -> Postil:
        from app.composition import Postil

        return Postil(self._postil.home, embedding_model=name)

    def _require_work(self) -> ModelWork:
        assert self.work is not None
        return self.work

    def _show(self, work: ModelWork | None) -> None:
        self.work = work
        self.changed.emit(work)


def _is_there(name: str, cache_dir: Path) -> bool:
    """Say whether a model need not be fetched.

    Raises:
        EmbeddingError: it must be, and cannot be from here.
    """
    from rag.embedding import find_model, is_ready
    from rag.embedding.fetch import check_fetchable

    if is_ready(name, cache_dir):
        return True
    check_fetchable(find_model(name))
    return False
