"""One thing for the worker to do: where it is, what became of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import time
from typing import Any, Literal

from drr.errors import InputError

State = Literal["waiting", "running", "done", "failed", "cancelled"]


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

    def end(self, state: State, error: str) -> None:
        """It is over."""
        self.took_s = self.seconds
        self.state, self.error = state, error
        self.ended.set()

    async def answer(self) -> Mapping[str, Any]:
        """The result; InputError for what was refused, RuntimeError for a defect."""
        await self.ended.wait()
        if self.is_defect:
            raise RuntimeError(self.error)
        if self.state != "done":
            raise InputError(self.error)
        return self.result


def _share(bar: Mapping[str, Any], name: str) -> float:
    return float(bar.get(name) or 0)
