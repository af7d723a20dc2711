"""What a choice of settings costs on this machine: learnt from the first measured step, and from every run after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import time

RECONSTRUCT = "reconstruct"  # the bar of a sampling, in slices


@dataclass
class Cost:
    """Seconds: base of any reconstruction, each step of one sample. None: not measured yet."""

    base_s: float | None = None
    step_s: float | None = None

    def seconds(self, steps: int, samples: int, iterations: int, answers: int, is_sampled: bool) -> float | None:
        """Of `answers` reconstructions. An iteration of consistency is taken for a tenth of a step."""
        if self.base_s is None or (is_sampled and self.step_s is None):
            return None
        one = self.base_s
        if is_sampled:
            one += (self.step_s or 0) * samples * (steps + iterations / 10)
        return round(answers * one, 1)

    def learn(self, clock: "Clock", steps: int, samples: int, answers: int) -> None:
        """From a run that has ended."""
        step = clock.step_s(steps)
        total = clock.elapsed_s / max(answers, 1)
        if step is not None:
            self.step_s = step / samples
        self.base_s = max(total - (self.step_s or 0) * steps * samples if step is not None else total, 0.0)


@dataclass
class Clock:
    """When the bar of a sampling moved."""

    began: float = field(default_factory=time.perf_counter)
    ticks: list[tuple[float, float, float]] = field(default_factory=list)  # seconds, slices done, of how many

    def moved(self, what: str, done: float, total: float | None) -> None:
        """Remember a movement of the sampling's own bar."""
        if what == RECONSTRUCT and total:
            if self.ticks and done <= self.ticks[-1][1]:  # another sampling, of films that are carried
                self.ticks.clear()
            self.ticks.append((time.perf_counter() - self.began, done, total))

    @property
    def elapsed_s(self) -> float:
        """So far."""
        return time.perf_counter() - self.began

    def step_s(self, steps: int) -> float | None:
        """Seconds of one step of all samples, from the first movement to the last of one sampling; None without two."""
        if len(self.ticks) < 2:
            return None
        (first, done, total), (last, end, _) = self.ticks[0], self.ticks[-1]
        return (last - first) / (end - done) * total / steps if end > done else None


def answers_of(passes: Mapping[str, int]) -> int:
    """So many reconstructions at most: one, and where films are carried one a pass and one before."""
    most = max(passes.values(), default=0)
    return most + 2 if most else 1
