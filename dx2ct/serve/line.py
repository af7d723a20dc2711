"""Tasks wait in one line for one worker, and no more of them than a bound."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import time
from typing import Any, Literal

from drr.errors import InputError
from dx2ct.serve.process import DiedError, Worker

RUNS, SHORT = 4, 16  # that may wait beside the one in progress
SHORT_S = 60.0  # a reader that takes longer hangs
_IN_A_ROW = 8  # short tasks that may go before a run which waits
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class FullError(Exception):
    """The line is as long as it may be."""


@dataclass(eq=False)
class Task:
    """One thing for the worker. moved, passes: the bars that it told of last (drr.progress.Watcher); estimate: counts
    the answers so far that were shown."""

    name: str
    arguments: Mapping[str, Any]
    is_run: bool = False
    state: State = "waiting"
    moved: Mapping[str, Any] = field(default_factory=dict)
    passes: Mapping[str, Any] = field(default_factory=dict)
    estimate: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    is_defect: bool = False
    began: float = 0.0
    took_s: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: bool = False

    def hear(self, facts: Mapping[str, Any]) -> None:
        """Progress."""
        self.estimate = facts.get("estimate", self.estimate)
        if facts.get("what") == "passes":
            self.passes, self.moved = facts, {}
        elif "what" in facts:
            self.moved = facts

    @property
    def seconds(self) -> float:
        """Since the worker has begun with it, until it ended."""
        return time.monotonic() - self.began if self.state == "running" else self.took_s

    @property
    def fraction(self) -> float:
        """What of it is done, [0, 1]: of the sampling in progress, and of as many as there may be."""
        if self.state == "done":
            return 1.0
        return min((_share(self.passes, "done") + self.of_sampling) / (_share(self.passes, "total") + 1), 1.0)

    @property
    def of_sampling(self) -> float:
        """What of the sampling in progress is done, [0, 1]."""
        total = _share(self.moved, "total")
        return min(_share(self.moved, "done") / total, 1.0) if total else 0.0

    async def answer(self) -> Mapping[str, Any]:
        """The result; InputError for what was refused, RuntimeError for a defect."""
        await self.ended.wait()
        if self.is_defect:
            raise RuntimeError(self.error)
        if self.state != "done":
            raise InputError(self.error)
        return self.result


class Line:
    """Runs in the order that they came, and before each of them what takes a second: previews, files, comparisons."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.runs: deque[Task] = deque()
        self.short: deque[Task] = deque()
        self.now: Task | None = None
        self.in_a_row, self.is_measured = 0, False
        self.arrived = asyncio.Event()

    def submit(self, task: Task) -> Task:
        """Put a task into the line; FullError where it is full."""
        waiting, most = (self.runs, RUNS) if task.is_run else (self.short, SHORT)
        if len(waiting) >= most:
            raise FullError(f"{len(waiting)} {'runs' if task.is_run else 'tasks'} are waiting already: try again")
        waiting.append(task)
        self.arrived.set()
        if self.now and self.now.name == "measure":
            self.worker.stop()
        return task

    def cancel(self, task: Task) -> None:
        """Take a task out, or end it; one that has ended stays as it is."""
        task.unwanted = True
        if task is self.now:
            self.worker.stop()
        for waiting in (self.runs, self.short):
            if task in waiting:
                waiting.remove(task)
                _end(task, "cancelled", "cancelled")

    def place(self, task: Task) -> int:
        """How many tasks are before it."""
        return self.runs.index(task) + (self.now is not None) if task in self.runs else 0

    async def serve(self) -> None:
        """Do the tasks, for ever."""
        while True:
            task = self._next()
            if task is None:
                self.arrived.clear()
                await self.arrived.wait()
                continue
            self.now = task
            try:
                await self._do(task)
            finally:
                self.now = None

    def _next(self) -> Task | None:
        if self.short and (not self.runs or self.in_a_row < _IN_A_ROW):
            self.in_a_row += 1
            return self.short.popleft()
        self.in_a_row = 0
        if self.runs:
            return self.runs.popleft()
        if not self.is_measured:
            return Task("measure", {})
        return None

    async def _do(self, task: Task) -> None:
        task.state, task.began = "running", time.monotonic()
        limit_s = None if task.is_run or task.name == "measure" else SHORT_S
        loop = asyncio.get_running_loop()

        def tell(facts: Mapping[str, Any]) -> None:
            loop.call_soon_threadsafe(task.hear, facts)

        try:
            kind, found = await asyncio.to_thread(
                self.worker.call, task.name, task.arguments, tell, limit_s, lambda: task.unwanted
            )
        except DiedError as error:
            kind, found = "refused", str(error)
            with suppress(DiedError):
                await asyncio.to_thread(self.worker.start)
        if task.name == "measure":
            self.is_measured = kind != "refused"
        if task.unwanted and kind != "done":
            _end(task, "cancelled", "cancelled")
        elif kind == "done":
            task.result = found
            _end(task, "done", "")
        else:
            task.is_defect = kind == "broken"
            _end(task, "failed", found if kind == "refused" else "a defect of this program: its log has the traceback")
            if kind == "broken":
                print(found, flush=True)


def _share(bar: Mapping[str, Any], name: str) -> float:
    return float(bar.get(name) or 0)


def _end(task: Task, state: State, error: str) -> None:
    task.took_s = task.seconds
    task.state, task.error = state, error
    task.ended.set()
