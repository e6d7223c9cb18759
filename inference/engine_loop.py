"""The engine's thread: it computes step after step while there is something to compute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from inference.active_request import ActiveRequest, step_failure
from inference.errors import EngineStoppedError
from inference.kv_cache.block_manager import BlockManager
from inference.open_requests import OpenRequests
from inference.outputs import FinishReason, OutputPiece
from inference.runner.model_runner import ModelRunner
from inference.runner.slices import SequenceSlice
from inference.sampling.sampler import Sampled, Sampler, chosen
from inference.sampling.state import SamplingRow
from inference.scheduling.limits import SchedulingLimits
from inference.scheduling.scheduler import ScheduledSlice, Scheduler
from inference.scheduling.sequence import Sequence
from inference.speculation_gate import SpeculationGate
from inference.stats import EngineStats, EngineTotals

log = logging.getLogger(__name__)

_IDLE_BEFORE_CHECK_S = 0.5


class EngineLoop:
    """Runs `schedule -> run -> sample -> deliver` on a thread of its own.

    Other threads hand in commands; everything else belongs to the engine's thread. A failure ends
    the requests that it concerns, and the loop goes on. Each request gets exactly one last piece.
    """

    def __init__(
        self,
        runner: ModelRunner,
        sampler: Sampler,
        blocks: BlockManager,
        limits: SchedulingLimits,
        gate: SpeculationGate,
    ) -> None:
        """Make the loop; `start` starts its thread."""
        self._runner = runner
        self._sampler = sampler
        self._blocks = blocks
        self._limits = limits
        self._gate = gate
        self._scheduler = Scheduler(blocks, limits)
        self._open = OpenRequests(limits.max_waiting, limits.max_batch)
        self._active: dict[Sequence, ActiveRequest] = {}
        self._totals = EngineTotals()
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = False
        self._is_warm = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def submit(self, active: ActiveRequest) -> None:
        """Take a request; on any thread.

        Raises:
            EngineStoppedError: the engine is closed.
            InvalidParameterError: a request of that id is under way.
            QueueFullError: too many wait.
        """
        self._open.add(active, lambda: self._commands.put(partial(self._add, active)))

    def cancel(self, request_id: str) -> None:
        """End a request if it is still under way; on any thread."""
        active = self._open.get(request_id)
        if active is not None:
            self._commands.put(partial(self._end, active, "cancelled"))

    def close(self) -> None:
        """End every open request with an error, and the thread with them; on any thread."""
        self._open.close()
        self._commands.put(self._stop)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def stats(self) -> EngineStats:
        """Return the figures of this moment; on any thread."""
        totals, blocks = self._totals, self._blocks
        running, waiting = self._open.counts()
        return EngineStats(
            running=running,
            waiting=waiting,
            queue_limit=self._limits.max_waiting,
            blocks_total=blocks.num_blocks,
            blocks_free=blocks.num_free,
            blocks_cached=blocks.num_kept,
            prompt_tokens=totals.prompt_tokens,
            cached_tokens=totals.cached_tokens,
            generated_tokens=totals.generated_tokens,
            drafted_tokens=totals.drafted_tokens,
            accepted_tokens=totals.accepted_tokens,
            preemptions=self._scheduler.preemptions,
            steps=totals.steps,
        )

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._active:
                    self._wait_for_command()
                while not self._commands.empty():
                    self._commands.get()()
                if self._active and not self._stopping:
                    self._step()
        except BaseException:
            log.exception("the engine's thread failed")
            raise
        finally:
            self._end_all()

    def _end_all(self) -> None:
        """Give every open request its last piece, in whatever state the thread ends."""
        what = "was closed" if self._stopping else "failed"
        error = EngineStoppedError(f"The engine {what} before the answer was complete.")
        for active in self._open.close():
            try:
                self._end(active, "error", error)
            except Exception:
                log.exception("a request could not be taken out of the batch")

    def _wait_for_command(self) -> None:
        """Carry out the next command; until it comes, prepare and check what there is time for."""
        while self._commands.empty() and self._warm_up():
            pass
        try:
            self._commands.get(timeout=_IDLE_BEFORE_CHECK_S)()
        except Empty:
            self._check_blocks()
            self._commands.get()()

    def _warm_up(self) -> bool:
        """Prepare a little of what makes steps faster, and say whether there may be more."""
        if not self._is_warm:
            try:
                self._is_warm = not self._runner.warm_up()
            except Exception:
                log.exception("the engine could not prepare itself; it serves as it is")
                self._is_warm = True
        return not self._is_warm

    def _check_blocks(self) -> None:
        """Make sure that every block came back; go on with an empty cache if not."""
        try:
            self._blocks.check_integrity([])
        except RuntimeError:
            log.exception("the cache is emptied")
            self._blocks.clear()

    def _stop(self) -> None:
        self._stopping = True

    def _add(self, active: ActiveRequest) -> None:
        self._active[active.sequence] = active
        self._scheduler.add(active.sequence)

    def _step(self) -> None:
        began = time.perf_counter()
        try:
            plan = self._plan()
        except Exception as error:
            log.exception("a step could not be planned")
            self._fail(list(self._active.values()), error)
            return
        try:
            sampled = self._compute(plan)
        except Exception as error:
            log.exception("a step failed")
            self._fail([self._active[piece.sequence] for piece in plan], error)
            return
        seconds = time.perf_counter() - began
        emitted = 0
        row = 0
        for piece in plan:
            rows = _num_rows(piece)
            emitted += self._settle(piece, sampled[row : row + rows])
            row += rows
        self._totals.steps += 1
        self._totals.generated_tokens += emitted
        if all(piece.num_tokens == 1 for piece in plan):
            self._gate.observe(len(plan), row - len(plan), emitted, seconds)

    def _plan(self) -> list[ScheduledSlice]:
        drafts = self._gate.choose(
            (sequence, self._active[sequence].lookup) for sequence in self._scheduler.generating()
        )
        plan = self._scheduler.schedule(drafts)
        if not plan:
            raise RuntimeError("There are requests, but nothing to compute.")
        for piece in plan:
            self._note_admission(self._active[piece.sequence])
        return plan

    def _compute(self, plan: list[ScheduledSlice]) -> list[Sampled]:
        slices: list[SequenceSlice] = []
        rows: list[SamplingRow] = []
        for piece in plan:
            assert piece.sequence.table is not None
            slices.append(
                SequenceSlice(
                    piece.token_ids, piece.start, piece.sequence.table.block_ids, _num_rows(piece)
                )
            )
            if piece.draws:
                state = self._active[piece.sequence].sampling
                rows.append(SamplingRow(state))
                rows.extend(
                    SamplingRow(state, piece.draft[:end]) for end in range(1, len(piece.draft) + 1)
                )
        if all(row.state.is_plain_greedy for row in rows):  # the choice is part of a CUDA graph
            return [chosen(token_id) for token_id in self._runner.run_greedy(slices)]
        return self._sampler.sample(self._runner.run(slices), rows)

    def _settle(self, scheduled: ScheduledSlice, sampled: list[Sampled]) -> int:
        """Give a sequence what a step computed of it, and its caller the piece.

        Returns:
            How many tokens it gained.
        """
        active = self._active[scheduled.sequence]
        accepted_before = active.accepted_tokens
        try:
            if not scheduled.draws:
                self._scheduler.advance(scheduled, ())
                return 0
            piece = active.take(sampled, scheduled.draft)
            if piece.finish_reason != "error":
                self._scheduler.advance(scheduled, piece.token_ids)
        except Exception as error:
            log.exception("a request failed")
            self._fail([active], error)
            return 0
        self._totals.drafted_tokens += len(scheduled.draft)
        self._totals.accepted_tokens += active.accepted_tokens - accepted_before
        if active.is_over:
            self._finish(active, piece)
        else:
            self._deliver(active, piece)
        return len(piece.token_ids)

    def _fail(self, failed: list[ActiveRequest], error: Exception) -> None:
        for active in failed:
            self._end(active, "error", step_failure(error))

    def _end(
        self, active: ActiveRequest, reason: FinishReason, error: Exception | None = None
    ) -> None:
        """End a request before its answer does; nothing, where it is over."""
        if self._open.holds(active):
            self._finish(active, active.end(reason, error))

    def _finish(self, active: ActiveRequest, last: OutputPiece) -> None:
        """Forget a request, take its blocks back and deliver its last piece."""
        try:
            if self._active.pop(active.sequence, None) is not None:
                keep_blocks = last.finish_reason != "error"
                self._scheduler.remove(active.sequence, keep_blocks=keep_blocks)
        finally:  # whoever waits must hear of the end, also where the books are wrong
            self._open.remove(active, last.usage.total_s if last.usage is not None else 0.0)
            self._deliver(active, last)

    def _note_admission(self, active: ActiveRequest) -> None:
        if not active.was_admitted:
            self._open.note_start(active)
            self._totals.prompt_tokens += active.sequence.num_prompt_tokens
            self._totals.cached_tokens += active.sequence.cached_tokens

    def _deliver(self, active: ActiveRequest, piece: OutputPiece) -> None:
        try:
            active.deliver(piece)
        except Exception:
            log.exception("a request's receiver failed; the request is cancelled")
            self._end(active, "cancelled")


def _num_rows(piece: ScheduledSlice) -> int:
    return 1 + len(piece.draft) if piece.draws else 0
