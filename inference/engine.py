"""The engine as a library.

    >>> from inference import Engine, SamplingParams
    >>> with Engine.from_pretrained(folder) as engine:
    ...     completion, = engine.generate(
    ...         ["Once upon a time"], SamplingParams(temperature=0.0, max_tokens=8)
    ...     )
    >>> completion.finish_reason
    'length'

Inside a coroutine, `async for piece in engine.stream(prompt, params)` gives the answer as it is
generated. Requests from any number of threads and coroutines share each step of the model.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from inference.active_request import ActiveRequest, Deliver
from inference.completion import Completion
from inference.engine_loop import EngineLoop
from inference.errors import InvalidParameterError, QueueFullError
from inference.grammar.compiler import GrammarCompiler
from inference.linear.interface import Quantization
from inference.loading import DeviceName, DtypeName, LoadedModel, LoadingOptions, OnProgress, load
from inference.outputs import OutputPiece
from inference.requests import GenerationRequest, SamplingParams
from inference.sampling.sampler import Sampler
from inference.sampling.state import SamplingState
from inference.scheduling.sequence import Sequence as TokenSequence
from inference.speculation_gate import SpeculationMode
from inference.stats import EngineStats
from inference.text.stream_decoder import StreamDecoder

Prompt = str | Sequence[int]


class Engine:
    """A loaded model that answers requests, many at once, on a thread of its own.

    All methods can be called from any thread. Close it, or use it as a context manager.

    Attributes:
        model_name: the folder's name.
        config: the model's shape.
        device: where it computes.
        dtype: what it computes in.
        quantization: what its weights are stored as.
        tokenizer: from text to tokens and back.
        chat: from a conversation to a prompt, and from an answer to its parts.
        max_model_len: tokens that a prompt and its answer may have together.
    """

    def __init__(self, model: LoadedModel, model_name: str) -> None:
        """Start to serve a loaded model; `from_pretrained` loads and starts."""
        self.model_name = model_name
        self.config = model.config
        self.device = model.device
        self.dtype = model.dtype
        self.quantization = model.quantization
        self.tokenizer = model.tokenizer
        self.chat = model.chat
        self.max_model_len = model.limits.max_model_len
        self._limits = model.limits
        self._blocks = model.blocks
        self._end_token_ids = frozenset(model.tokenizer.eos_token_ids) | frozenset(
            model.config.eos_token_ids
        )
        self._grammars = GrammarCompiler(model.tokenizer)
        self._arrivals = itertools.count()
        self._loop = EngineLoop(model.runner, Sampler(), model.blocks, model.limits, model.gate)
        self._loop.start()

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        *,
        device: DeviceName = "auto",
        dtype: DtypeName = "auto",
        quantization: Quantization = "none",
        max_model_len: int | None = None,
        kv_cache_bytes: int | None = None,
        max_batch: int = 32,
        max_step_tokens: int | None = None,
        max_waiting: int = 256,
        share_prefixes: bool = True,
        speculation: SpeculationMode = "auto",
        cache_folder: Path | None = None,
        on_progress: OnProgress | None = None,
    ) -> Engine:
        """Load a model folder and start to serve it.

        Args:
            folder: holds config.json, tokenizer.json and safetensors files.
            device: where to compute; "auto" takes CUDA, then Apple's MPS, then the CPU.
            dtype: what to compute in; "auto": as stored, where the device is fast at it.
            quantization: what to store the weights as.
            max_model_len: most tokens of prompt and answer together; None: the model's context, or
                as much of it as the cache holds.
            kv_cache_bytes: size of the key-value cache; None: by the memory that is free.
            max_batch: most requests computed at once.
            max_step_tokens: most tokens computed in one step; None: by the device.
            max_waiting: most requests that may wait.
            share_prefixes: reuse what is computed for prompts that begin alike.
            speculation: "auto" drafts tokens where that is measured to pay; "always" and "never"
                are for measurements.
            cache_folder: where quantised weights are kept if `folder` cannot be written.
            on_progress: told what loading does and which share of that is done, from 0 to 1.

        Raises:
            ModelError: the folder cannot be served; the message says why.
            DeviceError: the device is not there, or too small.
            InvalidParameterError: an option is out of range.
        """
        options = LoadingOptions(
            device=device,
            dtype=dtype,
            quantization=quantization,
            max_model_len=max_model_len,
            kv_cache_bytes=kv_cache_bytes,
            max_batch=max_batch,
            max_step_tokens=max_step_tokens,
            max_waiting=max_waiting,
            share_prefixes=share_prefixes,
            speculation=speculation,
            cache_folder=cache_folder,
        )
        folder = Path(folder)
        model = load(folder, options, on_progress or _ignore_progress)
        gc.collect()
        gc.freeze()  # what is loaded stays: the collector need not look at it again
        return cls(model, folder.resolve().name)

    def submit(self, request: GenerationRequest, deliver: Deliver) -> None:
        """Take a request and return at once.

        Args:
            request: what to answer.
            deliver: called on the engine's thread with each piece of the answer, so it must be
                quick. If it raises, the request is cancelled.

        Raises:
            RequestError: the request can never be answered as it is.
            QueueFullError: too many requests wait.
            EngineStoppedError: the engine is closed.
        """
        prompt, params = request.prompt_token_ids, request.params
        self._require_prompt(prompt)
        max_tokens = self._limits.max_tokens_for(len(prompt), params.max_tokens)
        sequence = TokenSequence(
            token_ids=list(prompt),
            num_prompt_tokens=len(prompt),
            max_tokens=max_tokens,
            arrival=next(self._arrivals),
            chain=self._blocks.new_chain(),
        )
        sampling = SamplingState(
            params,
            prompt,
            self.config.vocab_size,
            choice=request.choice,
            constraint=None if params.grammar is None else self._grammars.compile(params.grammar),
        )
        self._loop.submit(
            ActiveRequest(
                request,
                sequence,
                sampling,
                StreamDecoder(self.tokenizer, prompt),
                frozenset() if params.ignore_eos else self._end_token_ids,
                deliver,
            )
        )

    def cancel(self, request_id: str) -> None:
        """End a request if it is under way; its last piece says "cancelled"."""
        self._loop.cancel(request_id)

    async def stream(
        self, prompt: Prompt, params: SamplingParams, *, request_id: str | None = None
    ) -> AsyncIterator[OutputPiece]:
        """Answer one prompt piece by piece; leaving the iteration cancels the request.

        Args:
            prompt: text, or token ids with the special tokens that the model wants.
            params: how to draw the answer.
            request_id: unique among the requests under way; None: made up.

        Yields:
            The pieces; the last has a finish reason, and its error where that is "error".

        Raises:
            RequestError, QueueFullError, EngineStoppedError: as `submit` does.
        """
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[OutputPiece] = asyncio.Queue()
        request = self._request(prompt, params, request_id)
        if params.grammar is not None:  # it may take a second; `submit` will find it compiled
            await asyncio.to_thread(self._grammars.compile, params.grammar)
        self.submit(request, lambda piece: _post(loop, pieces, piece))
        is_over = False
        try:
            while not is_over:
                piece = await pieces.get()
                is_over = piece.finish_reason is not None
                yield piece
        finally:
            if not is_over:  # afterwards the id may be another request's
                self.cancel(request.request_id)

    def generate(
        self, prompts: Sequence[Prompt], params: SamplingParams | Sequence[SamplingParams]
    ) -> list[Completion]:
        """Answer prompts and wait for all answers.

        Args:
            prompts: texts, or token ids with the special tokens that the model wants.
            params: how to draw the answers: for all, or one for each prompt.

        Returns:
            The answers, in the order of the prompts.

        Raises:
            EngineError: one of the requests was refused or failed; the others are cancelled.
        """
        each = [params] * len(prompts) if isinstance(params, SamplingParams) else list(params)
        requests = [
            self._request(prompt, its_params, None)
            for prompt, its_params in zip(prompts, each, strict=True)
        ]
        arrived: SimpleQueue[OutputPiece] = SimpleQueue()
        pieces: dict[str, list[OutputPiece]] = {request.request_id: [] for request in requests}
        waiting = list(reversed(requests))
        under_way = 0
        try:
            while waiting or under_way:
                if waiting and self._submit_if_room(waiting[-1], arrived, wait=under_way > 0):
                    waiting.pop()
                    under_way += 1
                    continue
                piece = arrived.get()
                pieces[piece.request_id].append(piece)
                if piece.error is not None:
                    raise piece.error
                if piece.finish_reason is not None:
                    under_way -= 1
        finally:
            for request in requests:
                self.cancel(request.request_id)
        return [Completion.from_pieces(pieces[request.request_id]) for request in requests]

    def stats(self) -> EngineStats:
        """Return the engine's figures of this moment."""
        return self._loop.stats()

    def close(self) -> None:
        """End every open request with an EngineStoppedError and stop. May be called again."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _request(
        self, prompt: Prompt, params: SamplingParams, request_id: str | None
    ) -> GenerationRequest:
        token_ids = self.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
        return GenerationRequest(request_id or uuid.uuid4().hex, tuple(token_ids), params)

    def _submit_if_room(
        self, request: GenerationRequest, arrived: SimpleQueue[OutputPiece], *, wait: bool
    ) -> bool:
        """Submit, or say that the queue is full if one may wait for others to end."""
        try:
            self.submit(request, arrived.put)
        except QueueFullError:
            if not wait:
                raise
            return False
        return True

    def _require_prompt(self, token_ids: Sequence[int]) -> None:
        if not token_ids:
            raise InvalidParameterError("prompt", "The prompt must have at least one token.")
        if min(token_ids) < 0 or max(token_ids) >= self.config.vocab_size:
            raise InvalidParameterError(
                "prompt",
                f"The prompt's token ids must be from 0 to {self.config.vocab_size - 1}.",
            )


def _post(
    loop: asyncio.AbstractEventLoop, pieces: asyncio.Queue[OutputPiece], piece: OutputPiece
) -> None:
    loop.call_soon_threadsafe(pieces.put_nowait, piece)


def _ignore_progress(stage: str, share: float) -> None:
    pass
