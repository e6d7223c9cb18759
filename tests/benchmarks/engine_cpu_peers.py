"""The engines that `engine_cpu.py` compares, each in a process of its own."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Sequence
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_CONTEXT_TOKENS = 1024


class Spent(NamedTuple):
    """Wall clock and processor time of all threads."""

    wall_s: float
    cpu_s: float


class Loaded(NamedTuple):
    """What loading took, up to and with the first token; imports do not count."""

    spent: Spent
    peak_bytes: int
    steady_bytes: int


class _Engine(Protocol):
    def generate(self, prompt: Sequence[int], tokens: int) -> None: ...

    def logits(self, prompt: Sequence[int]) -> Any: ...


class Peer:
    """A process that has loaded one model.

    Args:
        name: to print.
        kind: "postil", "transformers" or "llama.cpp".
        path: the checkpoint's folder, or the GGUF file.
        threads: how many to compute with.
        quantization: Postil's.
    """

    def __init__(
        self, name: str, kind: str, path: Path, threads: int, quantization: str = "none"
    ) -> None:
        self.name = name
        self._connection, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=_serve, args=(there, kind, path, threads, quantization), daemon=True
        )
        self._process.start()
        there.close()
        self.loaded: Loaded = self._connection.recv()

    def generate(self, prompt: Sequence[int], tokens: int) -> Spent:
        """Generate greedily; what it took."""
        self._connection.send(("generate", list(prompt), tokens))
        spent: Spent = self._connection.recv()
        return spent

    def logits(self, prompt: Sequence[int]) -> Any:
        """The logits after a prompt, as a list; None where the engine does not tell."""
        self._connection.send(("logits", list(prompt), 0))
        return self._connection.recv()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(there: Connection, kind: str, path: Path, threads: int, quantization: str) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
    make = {"postil": _Postil, "transformers": _Transformers, "llama.cpp": _LlamaCpp}[kind]
    make.imports()
    empty = _status_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # start the peak anew
    before = _now()
    engine: _Engine = make(path, threads, quantization)
    engine.generate([1, 2, 3, 4], 1)
    spent = _since(before)
    steady = _status_bytes("VmRSS") - empty
    there.send(Loaded(spent, _status_bytes("VmHWM") - empty, steady))
    while True:
        try:
            what, prompt, tokens = there.recv()
        except EOFError:
            os._exit(0)
        if what == "logits":
            there.send(engine.logits(prompt))
            continue
        before = _now()
        engine.generate(prompt, tokens)
        there.send(_since(before))


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


def _since(before: Spent) -> Spent:
    now = _now()
    return Spent(now.wall_s - before.wall_s, now.cpu_s - before.cpu_s)


def _status_bytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


class _Postil:
    @staticmethod
    def imports() -> None:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401

        import inference.engine
        import inference.models.llama
        import inference.models.qwen3  # noqa: F401

    def __init__(self, path: Path, threads: int, quantization: str) -> None:
        from inference import Engine

        self._engine = Engine.from_pretrained(
            path,
            device="cpu",
            quantization=quantization,  # type: ignore[arg-type]
            max_model_len=_CONTEXT_TOKENS,
            kv_cache_bytes=64 << 20,
            share_prefixes=False,
            speculation="never",
        )

    def generate(self, prompt: Sequence[int], tokens: int) -> None:
        from inference import SamplingParams

        params = SamplingParams(temperature=0.0, max_tokens=tokens, ignore_eos=True)
        (completion,) = self._engine.generate([list(prompt)], params)
        assert len(completion.token_ids) == tokens

    def logits(self, prompt: Sequence[int]) -> Any:
        from inference.runner.slices import SequenceSlice

        runner = self._engine._loop._runner
        blocks = list(range(-(-len(prompt) // 16)))
        return runner.run([SequenceSlice(list(prompt), 0, blocks, 1)])[0].tolist()


class _Transformers:
    @staticmethod
    def imports() -> None:
        import transformers

        transformers.logging.set_verbosity_error()
        from transformers import LlamaForCausalLM, Qwen3ForCausalLM  # noqa: F401

    def __init__(self, path: Path, threads: int, quantization: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self._model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16).eval()

    def generate(self, prompt: Sequence[int], tokens: int) -> None:
        import torch

        ids = torch.tensor([list(prompt)])
        self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )

    def logits(self, prompt: Sequence[int]) -> Any:
        import torch

        with torch.inference_mode():
            return self._model(torch.tensor([list(prompt)])).logits[0, -1].float().tolist()


@cache
def quiet_llama_cpp() -> object:
    """Have llama.cpp print errors alone; what is returned must live as long as the process."""
    import llama_cpp

    @llama_cpp.llama_log_callback
    def print_errors(level: int, text: bytes, data: Any) -> None:
        if level == 4:
            sys.stderr.write(text.decode())

    llama_cpp.llama_log_set(print_errors, ctypes.c_void_p())
    return print_errors


class _LlamaCpp:
    @staticmethod
    def imports() -> None:
        import llama_cpp

        quiet_llama_cpp()
        llama_cpp.llama_backend_init()

    def __init__(self, path: Path, threads: int, quantization: str) -> None:
        import llama_cpp

        self._library = llama_cpp
        self._model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        assert self._model
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = _CONTEXT_TOKENS
        parameters.n_batch = 512
        parameters.n_threads = parameters.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        assert self._context
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocab_size = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def generate(self, prompt: Sequence[int], tokens: int) -> None:
        self._clear()
        ids = list(prompt)
        for _ in range(tokens):
            ids = [int(self._decode(ids).argmax())]

    def logits(self, prompt: Sequence[int]) -> Any:
        self._clear()
        return self._decode(list(prompt)).tolist()

    def _clear(self) -> None:
        library = self._library
        library.llama_memory_clear(library.llama_get_memory(self._context), True)

    def _decode(self, ids: list[int]) -> Any:
        import numpy as np

        array = (ctypes.c_int32 * len(ids))(*ids)
        batch = self._library.llama_batch_get_one(array, len(ids))
        assert self._library.llama_decode(self._context, batch) == 0
        pointer = self._library.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self._vocab_size,))
