"""Tasks wait in one line for one worker, and no more of them than a bound."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
import time
from typing import Any

from dx2ct.serve.process import DiedError, Worker
from dx2ct.serve.task import Task

RUNS, SHORT = 4, 16  # that may wait beside the one in progress
SHORT_S = 180.0  # a reader that takes longer hangs, even beside other work
_IN_A_ROW = 8  # short tasks that may go before a run which waits


class FullError(Exception):
    """The line is as long as it may be."""


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
                task.end("cancelled", "cancelled")

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
            task.end("cancelled", "cancelled")
        elif kind == "done":
            task.result = found
            task.end("done", "")
        else:
            task.is_defect = kind == "broken"
            task.end("failed", found if kind == "refused" else "a defect of this program: its log has the traceback")
            if kind == "broken":
                print(found, flush=True)
