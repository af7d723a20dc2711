"""What there is to know of a metric: the tables of scores, the report and docs/metrics.md are made from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import getdoc

from dx2ct.metrics.evaluation import Evaluation
from dx2ct.metrics.tissue import TISSUES


@dataclass(frozen=True)
class Scope:
    """What a metric looks at. skips_missing: a mean over scans leaves out those without a value, else it is empty."""

    what: str
    skips_missing: bool = False


VOLUME = Scope("volume")
BODY = Scope("body")
SLICES = Scope("slices of the plane")
ALL_SLICES = Scope("slices of all planes")
TISSUE = Scope("tissue", skips_missing=True)
XRAY = Scope("X-ray", skips_missing=True)
FILM = Scope("reconstruction of films", skips_missing=True)


@dataclass(frozen=True)
class Metric:
    """A column of scores.csv or, where its name holds {tissue} or {view}, one for each.

    better: +1 higher is better, -1 lower, 0 neither. unit: empty for a ratio.
    function: NaN where the metric does not apply; its docstring is the definition that people read. It may be given as
    "module:function", so that one in a new file is one line more here.
    source: the paper or the rule. digits: after the point, in tables.
    headline: stands first everywhere, and on the model card. paper: place in DX2CT's own tables, which average over
    the three plane volumes; 0 = not there.
    """

    name: str
    title: str
    unit: str
    better: int
    scope: Scope
    function: Callable[[Evaluation], float] | str
    source: str
    digits: int = 3
    headline: bool = False
    paper: int = 0

    @property
    def measure(self) -> Callable[[Evaluation], float]:
        """The function itself."""
        if not isinstance(self.function, str):
            return self.function
        module, _, name = self.function.partition(":")
        found: Callable[[Evaluation], float] = getattr(import_module(module), name)
        return found

    @property
    def label(self) -> str:
        """Title and unit, the head of a column."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def definition(self) -> str:
        """The first paragraph of the function's docstring."""
        return " ".join((getdoc(self.measure) or "").partition("\n\n")[0].split())

    def each(self, views: Sequence[str]) -> "list[Metric]":
        """The metrics that it stands for: one, or one for each tissue or X-ray view."""
        for field, parts in (("{tissue}", TISSUES), ("{view}", views)):
            if field in self.name:
                return [self._of(field, part) for part in parts]
        return [self]

    def _of(self, field: str, part: str) -> "Metric":
        def function(evaluation: Evaluation) -> float:
            return self.measure(evaluation.of(part))

        function.__doc__ = self.measure.__doc__
        name, title = (text.replace(field, part) for text in (self.name, self.title))
        return replace(self, name=name, title=title, function=function)
